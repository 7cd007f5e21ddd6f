package main

import (
	"fmt"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func TestMain(m *testing.M) { posttest.Main(m, main) }

// reader runs the post as its reader does.
var reader = posttest.Runner[noted]{Post: thisPost}

type outcome = posttest.Outcome[noted]

// noted is what the tests read of the report's notes.
type noted struct {
	Reads        map[string]int `json:"reads"`
	Objects      int            `json:"objects"`
	Outputs      int            `json:"outputs"`
	Publications int            `json:"publications"`
	Monitor      struct {
		Panics int `json:"panics"`
		Lost   int `json:"lost_events"`
	} `json:"monitor"`
	Overlap *struct {
		InARowMS     int64 `json:"in_a_row_ms"`
		SideBySideMS int64 `json:"side_by_side_ms"`
		SavedMS      int64 `json:"saved_ms"`
	} `json:"overlap"`
}

var (
	stepNames = []string{
		"extract_sales_data", "extract_inventory_data", "extract_customer_data",
		"transform_sales", "transform_inventory", "transform_customers", "aggregate_metrics", "generate_insights",
	}
	extracts = stepNames[:3]
	readBy   = map[string]string{"extract_sales_data": sourceSales, "extract_inventory_data": sourceInventory, "extract_customer_data": sourceCRM}
)

// days is a request for a window of days.
func days(start, end string) string {
	return fmt.Sprintf(`{"date_range": {"start_date": %q, "end_date": %q}}`, start, end)
}

// november is a request for the whole of the sample data, by a pipeline.
func november(pipelineID string) string {
	return fmt.Sprintf(`{"pipeline_id": %q, "date_range": {"start_date": "2025-11-01", "end_date": "2025-11-30"}}`, pipelineID)
}

// onBothStores runs a test with the arguments that choose a store.
func onBothStores(t *testing.T, test func(t *testing.T, where ...string)) {
	t.Helper()
	for store, where := range map[string][]string{"memory": nil, "postgres": {"-db", taskertest.Database(t)}} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			test(t, where...)
		})
	}
}

// published checks that a run for all of november did what it should, once.
func published(t *testing.T, o outcome) {
	t.Helper()
	if o.Exit != 0 || len(o.Tasks) == 0 {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	for _, s := range o.Tasks[0].Steps {
		if s.State != "complete" || s.Error != nil {
			t.Errorf("%s is %s, with error %v", s.Name, s.State, s.Error)
		}
	}
	if got := o.Result(t, "aggregate_metrics", "total_revenue"); got != "3199.73" {
		t.Errorf("the revenue is %s, want 3199.73", got)
	}
	if o.Notes.Outputs != 1 || o.Notes.Objects != 3 {
		t.Errorf("the dashboard has %d pages and the archive %d objects, want 1 and 3", o.Notes.Outputs, o.Notes.Objects)
	}
}

// blockedAt checks that one step has failed for good, that its siblings are
// complete, and that nothing after them has begun.
func blockedAt(t *testing.T, o outcome, step, code string) {
	t.Helper()
	if o.Exit != 1 || len(o.Tasks) != 1 || o.Tasks[0].State != "blocked_by_failures" {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	if s := o.Step(step); s.State != "error" || s.Error == nil || s.Error.Code != code {
		t.Errorf("%s is %s, with error %v, want %s", step, s.State, s.Error, code)
	}
	for _, name := range extracts {
		if s := o.Step(name); name != step && (s.State != "complete" || s.Attempts != 1 || o.Notes.Reads[readBy[name]] != 1) {
			t.Errorf("%s is %s after %d attempts and %d reads, want it complete by one", name, s.State, s.Attempts, o.Notes.Reads[readBy[name]])
		}
	}
	for _, name := range []string{"aggregate_metrics", "generate_insights"} {
		if s := o.Step(name); s.State != "pending" || s.Attempts+s.Lost != 0 {
			t.Errorf("%s is %s after %d attempts, though %s has failed", name, s.State, s.Attempts, step)
		}
	}
	if o.Notes.Outputs != 0 {
		t.Errorf("%d pages were published", o.Notes.Outputs)
	}
}

// loaded gives the post's template, which edit may change.
func loaded(t *testing.T, edit func(string) string) []*template.Template {
	t.Helper()
	text, err := templates.ReadFile("templates/analytics_pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parse(edit(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return []*template.Template{parsed}
}

func parse(text string) (*template.Template, error) {
	return template.Parse("templates/analytics_pipeline.yaml", []byte(text))
}

func asItIs(text string) string { return text }

const thisTask = "data_pipeline/analytics_pipeline"

// request is what a test of the engine submits.
func request(start, end Day) map[string]any {
	return map[string]any{"date_range": DateRange{start, end}}
}

// engineWith is an engine that runs the pipeline in a world of the test's own.
func engineWith(t *testing.T, store tasker.Store, change func(*Pipeline), options ...taskertest.Option) (*taskertest.Engine, *post.World) {
	t.Helper()
	world := post.NewWorld()
	p := newPipeline(world)
	change(p)
	return taskertest.New(t, loaded(t, asItIs), p.Handlers(), store, options...), world
}

func unchanged(*Pipeline) {}
