package main

import (
	"strings"
	"testing"
	"time"
)

// whatCanGoWrong is the post's table of errors: what a step ends with, and
// what the run exits with.
var whatCanGoWrong = []struct {
	name       string
	input      string
	args       []string
	step       string
	kind, code string
	attempts   int
	retryAfter int64 // ms
	reads      int   // of the step's source
}{
	{name: "a CRM that stays down uses up all attempts", args: []string{"-source", "crm=503"}, step: "extract_customer_data", kind: "retryable", code: "CRM_UNAVAILABLE", attempts: 3, reads: 3},
	{name: "so does one that never answers", args: []string{"-source", "crm=timeout"}, step: "extract_customer_data", kind: "retryable", code: "CRM_TIMEOUT", attempts: 3, reads: 3},
	{name: "and one that is overrun, which asks for a minute", args: []string{"-source", "crm=429"}, step: "extract_customer_data", kind: "retryable", code: "CRM_RATE_LIMITED", attempts: 3, retryAfter: 60_000, reads: 3},
	{name: "and a database full of locks", args: []string{"-source", "sales=lock"}, step: "extract_sales_data", kind: "retryable", code: "SALES_LOCKED", attempts: 3, reads: 3},
	{name: "one trouble after another uses them up too", args: []string{"-source", "inventory=503x1", "-source", "inventory=timeoutx1", "-source", "inventory=429"}, step: "extract_inventory_data", kind: "retryable", code: "INVENTORY_RATE_LIMITED", attempts: 3, retryAfter: 60_000, reads: 3},
	{name: "a CRM that does not let us in is asked once", args: []string{"-source", "crm=401"}, step: "extract_customer_data", kind: "permanent", code: "CRM_AUTH_FAILED", attempts: 1, reads: 1},
	{name: "nor is a warehouse asked again that does not", args: []string{"-source", "inventory=401"}, step: "extract_inventory_data", kind: "permanent", code: "INVENTORY_AUTH_FAILED", attempts: 1, reads: 1},
	{name: "a CRM that knows us and forbids it is asked once", args: []string{"-source", "crm=403"}, step: "extract_customer_data", kind: "permanent", code: "CRM_FORBIDDEN", attempts: 1, reads: 1},
	{name: "so is one that has moved", args: []string{"-source", "crm=404"}, step: "extract_customer_data", kind: "permanent", code: "CRM_NOT_FOUND", attempts: 1, reads: 1},
	{name: "a query that is wrong stays wrong", args: []string{"-source", "sales=400"}, step: "extract_sales_data", kind: "permanent", code: "SALES_INVALID_EXTRACTION_QUERY", attempts: 1, reads: 1},
	{name: "a permanent answer ends the retries of a retryable one", args: []string{"-source", "crm=503x1", "-source", "crm=401"}, step: "extract_customer_data", kind: "permanent", code: "CRM_AUTH_FAILED", attempts: 2, reads: 2},
	{name: "an inventory of nothing is not published", args: []string{"-source", "inventory=empty"}, step: "extract_inventory_data", kind: "permanent", code: "DATA_QUALITY_FAILED", attempts: 1, reads: 1},
	{name: "nor are customers without names and tiers", args: []string{"-source", "crm=holes"}, step: "extract_customer_data", kind: "permanent", code: "DATA_QUALITY_FAILED", attempts: 1, reads: 1},
	{name: "nor sales without products", args: []string{"-source", "sales=holes"}, step: "extract_sales_data", kind: "permanent", code: "DATA_QUALITY_FAILED", attempts: 1, reads: 1},
	{name: "nor fewer orders than the request wants", input: strings.Replace(november("p"), `"pipeline_id"`, `"quality_thresholds": {"min_order_records": 6}, "pipeline_id"`, 1), step: "extract_sales_data", kind: "permanent", code: "DATA_QUALITY_FAILED", attempts: 1, reads: 1},
	{name: "whichever way it writes their number", input: strings.Replace(november("p"), `"pipeline_id"`, `"quality_thresholds": {"min_order_records": 0.6e1}, "pipeline_id"`, 1), step: "extract_sales_data", kind: "permanent", code: "DATA_QUALITY_FAILED", attempts: 1, reads: 1},
	{name: "a step that fails for good does so at once", args: []string{"-fail", "extract_sales_data=permanent"}, step: "extract_sales_data", kind: "permanent", code: "INJECTED_FAILURE", attempts: 1, reads: 0},
}

func TestWhatCanGoWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range whatCanGoWrong {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, inputOf(tt.input, tt.name), append([]string{"-env", "test"}, tt.args...)...)
			blockedAt(t, o, tt.step, tt.code)
			s := o.Step(tt.step)
			if s.Error == nil || s.Error.Kind != tt.kind || s.Error.RetryAfterMS != tt.retryAfter || s.Attempts != tt.attempts {
				t.Errorf("%s took %d attempts and ends by %+v, want %d, %s and retry after %d ms", tt.step, s.Attempts, s.Error, tt.attempts, tt.kind, tt.retryAfter)
			}
			if reads := o.Notes.Reads[readBy[tt.step]]; reads != tt.reads {
				t.Errorf("its source was read %d times, want %d", reads, tt.reads)
			}
			if o.Took > 3*time.Second {
				t.Errorf("it took %v", o.Took)
			}
		})
	}
}

// inputOf gives a case its own input: on PostgreSQL, a command goes on with what
// an equal one has left blocked.
func inputOf(input, name string) string {
	if input == "" {
		return november(strings.NewReplacer(" ", "-", ",", "", "=", "-").Replace(name))
	}
	return input
}

// whatFailsLater are failures behind the extracts: all of those stay done.
var whatFailsLater = []struct {
	step     string
	attempts int
	args     []string
	outputs  int // a lost answer is work that was done
}{
	{"transform_sales", 1, []string{"-fail", "transform_sales=permanent"}, 0},
	{"transform_customers", 2, []string{"-fail", "transform_customers=9"}, 0},
	{"aggregate_metrics", 1, []string{"-fail", "aggregate_metrics=permanent"}, 0},
	{"aggregate_metrics", 2, []string{"-fail", "aggregate_metrics=9"}, 0},
	{"generate_insights", 1, []string{"-fail", "generate_insights=permanent"}, 0},
	{"generate_insights", 2, []string{"-fail", "generate_insights=9"}, 1},
}

func TestAFailureBehindTheExtractsReadsNoSourceAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range whatFailsLater {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, november("november"), append([]string{"-env", "test"}, tt.args...)...)
			if s := o.Step(tt.step); o.Exit != 1 || o.Tasks[0].State != "blocked_by_failures" || s.State != "error" || s.Attempts != tt.attempts {
				t.Errorf("exit %d, the task is %s and %s is %s after %d attempts", o.Exit, o.Tasks[0].State, tt.step, s.State, s.Attempts)
			}
			for source, reads := range o.Notes.Reads {
				if reads != 1 {
					t.Errorf("%s was read %d times", source, reads)
				}
			}
			if o.Notes.Outputs != tt.outputs {
				t.Errorf("%d pages were published, want %d", o.Notes.Outputs, tt.outputs)
			}
		})
	}
}
