package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "TRACE"},
	{regexp.MustCompile(`span_id=[0-9a-f]{16}`), "span_id=SPAN"},
	{regexp.MustCompile(`\b(pay|order|email)_[0-9a-f]{16}\b`), "$1_ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?`), "TIME"}, // and its zone
	{regexp.MustCompile(` +\+\d+\.\dms +\d+\.\dms`), " +TIME TIME"},
	{regexp.MustCompile(`(?m)^ +\d+\.\dms`), "TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)?ms\b`), "TIME"},
	{regexp.MustCompile(`duration_ms=\d+`), "duration_ms=N"},
	{regexp.MustCompile(`\d\.\d\d times`), "N times"},
}

// masked is an output without what differs from run to run.
func masked(output string) string {
	for _, m := range masks {
		output = m.what.ReplaceAllString(output, m.with)
	}
	return output
}

// 7.8, 15. Log lines of several goroutines come in any order, so that of the
// lines is not looked at.
func TestOneCommandShowsTheSpansTheMetricsAndTheLinesOfAFailedAndAHealedCheckout(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "")
	if o.Exit != 0 || o.Stderr != "" || o.Took > 3*time.Second {
		t.Fatalf("exit %d after %v\n%s", o.Exit, o.Took, o.Stderr)
	}
	_, shown, _ := strings.Cut(masked(o.Stdout), "\n\n")
	var lines, logs []string
	for _, line := range strings.Split(shown, "\n") {
		if regexp.MustCompile(`^  (INFO|WARN|ERROR) `).MatchString(line) {
			logs = append(logs, line)
		} else {
			lines = append(lines, line)
		}
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("testdata/shown.txt", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/shown.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), strings.Join(lines, "\n")); diff != "" {
		t.Errorf("what is shown differs (-want +got); UPDATE=1 writes it anew:\n%s", diff)
	}
	for line, times := range map[string]int{
		"  WARN  tasker.step.retrying step=update_inventory attempt=1 outcome=timeout error_type=STEP_TIMEOUT": 2,
		"  ERROR tasker.step.failed step=update_inventory attempt=2 outcome=timeout error_type=STEP_TIMEOUT":   1,
		"  ERROR business.checkout.failed step=update_inventory error_type=STEP_TIMEOUT revenue_impact=99.99":  1,
		"  WARN  alert.inventory.failure step=update_inventory severity=critical":                              1,
		"  WARN  alert.performance.bottleneck step=update_inventory":                                           3,
		"  INFO  business.checkout.completed step=send_confirmation order_value=129.97 customer_tier=standard": 1,
		"  INFO  tasker.task.finished outcome=complete":                                                        1,
		"  ERROR tasker.task.finished outcome=error":                                                           1,
	} {
		found := 0
		for _, l := range logs {
			if strings.HasPrefix(l, line) {
				found++
			}
		}
		if found != times {
			t.Errorf("%q is there %d times, want %d:\n%s", line, found, times, strings.Join(logs, "\n"))
		}
	}
}

func TestPipedOutputHasNoEscapeCodesAndEndsWithOneSuggestion(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test")
	lines := strings.Split(strings.TrimSpace(o.Stdout), "\n")
	if last := lines[len(lines)-1]; strings.Contains(o.Stdout, "\x1b") || !strings.HasPrefix(last, "Next: go run ./posts/05-observability ") || strings.Count(o.Stdout, "Next:") != 1 {
		t.Errorf("the output ends with %q", last)
	}
}

func TestManyCheckoutsEachHaveAWorldOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, with(t, `{"cart_items": [{"sku": "WIDGET-001", "price": 1.00, "quantity": 50}]}`), "-incident", "none", "-n", "30", "-env", "test")
	if o.Exit != 0 || len(o.Tasks) != 30 || o.Notes.Stock["WIDGET-001"] != 0 || o.Notes.Metrics[`checkout_conversions_total{namespace="ecommerce"}`] != 30 {
		t.Errorf("exit %d, %d tasks, %+v", o.Exit, len(o.Tasks), o.Notes)
	}
}

func TestWithServeItAnswersUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	p := reader.Start(t, "", nil, "-serve", "127.0.0.1:0", "-incident", "hang-once", "-env", "test")
	p.Until(t, "serving", "http://")
	address := regexp.MustCompile(`http://[0-9.:]+`).FindString(p.Shown())
	p.Until(t, "Next:")
	answer, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil || families["tasker_tasks_finished_total"] == nil || families["checkout_conversions_total"].Metric[0].Counter.GetValue() != 1 {
		t.Errorf("%v\n%s", err, body)
	}
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if o := p.End(t); o.Exit != 130 {
		t.Errorf("exit %d\n%s", o.Exit, o.Stderr)
	}
}
