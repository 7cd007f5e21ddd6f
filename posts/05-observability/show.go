package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/expfmt"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// watched is a checkout that the run shows.
type watched struct{ title, task, correlationID string }

// conclude shows, after the tasks, what was seen of them: of another
// customer's checkout that failed, and of the run's first one.
func conclude(w *post.World) (lines []string) {
	t, run := telemetryOf(w), runOf(w)
	if run.other != nil {
		lines = append(lines, "", "While the stock hung, nothing had failed yet")
		lines = append(lines, indented(run.other.whileItHung)...)
		lines = append(lines, t.show(watchedAs("A checkout that failed, another customer's", run.other.task))...)
	}
	if run.first != nil {
		lines = append(lines, t.show(watchedAs("A checkout that "+became(run.first), run.first))...)
	}
	lines = append(lines, "", "The metrics that matter")
	return append(lines, indented(t.scraped(thatMatter...))...)
}

func watchedAs(title string, task *tasker.Task) watched {
	return watched{title, task.ID.String(), task.CorrelationID}
}

// became says in a word what came of a task.
func became(task *tasker.Task) string {
	switch {
	case task.State == tasker.TaskError:
		return "failed"
	case task.State != tasker.TaskComplete:
		return "is " + task.State.String()
	case slices.ContainsFunc(task.Steps, func(s tasker.TaskStep) bool { return s.Attempts > 1 }):
		return "healed"
	default:
		return "went well"
	}
}

// show gives the spans and the log lines of one checkout.
func (t *Telemetry) show(c watched) []string {
	lines := []string{"", c.title + ": correlation_id " + c.correlationID}
	spans := t.Spans.Trace(c.task)
	if len(spans) > 0 {
		lines = append(lines, "  trace "+spans[0].SpanContext().TraceID().String())
	}
	lines = append(lines, indented(tree(spans))...)
	return append(lines, indented(shortened(t.Lines.Of(c.correlationID)))...)
}

// thatMatter are the metrics that the run shows.
var thatMatter = []string{
	"tasker_tasks_active", "tasker_tasks_finished_total", "tasker_step_retries_total", "tasker_step_exhausted_total",
	"tasker_events_published_total", "checkout_conversions_total", "checkout_failures_total", "checkout_payments_total",
	"checkout_revenue_", "checkout_sla_total", "checkout_tasks_idle",
}

// countFailures are those of them that count what goes wrong.
var countFailures = []string{
	"tasker_tasks_active", "tasker_step_retries_total", "tasker_step_exhausted_total",
	"checkout_failures_total", "checkout_revenue_lost_total",
}

// text is all metrics in the text format of Prometheus, as far as they can be
// had: the store may not answer.
func (t *Telemetry) text() string {
	var b bytes.Buffer
	families, _ := t.Registry.Gather()
	for _, f := range families {
		_, _ = expfmt.MetricFamilyToText(&b, f) // a buffer takes everything
	}
	return b.String()
}

// counted are the samples of these metrics, or that there is none.
func (t *Telemetry) counted(names ...string) (lines []string) {
	for _, name := range names {
		if found := t.scraped(name); len(found) > 0 {
			lines = append(lines, found...)
		} else {
			lines = append(lines, "no "+name)
		}
	}
	return lines
}

// scraped are the samples whose names begin so.
func (t *Telemetry) scraped(prefixes ...string) (lines []string) {
	for _, line := range strings.Split(t.text(), "\n") {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) }) {
			lines = append(lines, line)
		}
	}
	return lines
}

// shownFields of a log line, in this order.
var shownFields = []string{
	"step", "attempt", "outcome", "error_type", "retry_in_ms", "severity", "reason",
	"order_value", "revenue_impact", "customer_tier", "duration_ms", "span_id",
}

// shortened are log lines without the fields that are the same in all of a
// checkout's.
func shortened(lines []string) (short []string) {
	for _, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var fields map[string]any
		if d.Decode(&fields) != nil {
			continue
		}
		text := fmt.Sprintf("%-5s %s", fields["level"], fields["msg"])
		for _, name := range shownFields {
			if value, there := fields[name]; there {
				text += fmt.Sprintf(" %s=%v", name, value)
			}
		}
		short = append(short, text)
	}
	return short
}

func indented(lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = "  " + line
	}
	return all
}
