package main

import (
	"context"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// SLAWatch holds completed checkouts to the time that the template promises.
// The span of a task is from its creation to its end, by the store's clock.
type SLAWatch struct {
	onEnd
	task    string
	limit   time.Duration
	metrics *BusinessMetrics
	sink    AlertSink
}

func newSLAWatch(t *template.Template, metrics *BusinessMetrics, sink AlertSink) *SLAWatch {
	monitoring, _ := t.TaskHandler.Initialization["monitoring"].(map[string]any)
	return &SLAWatch{task: t.Name, limit: time.Duration(number(monitoring["sla_seconds"]) * float64(time.Second)), metrics: metrics, sink: sink}
}

// OnEnd implements [sdktrace.SpanProcessor]. Who is exactly in time is in time.
func (w *SLAWatch) OnEnd(s sdktrace.ReadOnlySpan) {
	ours := s.Name() == "tasker.task.finish" && text(s, "tasker.task.name") == w.task
	if !ours || text(s, "tasker.task.outcome") != "complete" {
		return
	}
	over := s.EndTime().Sub(s.StartTime()) - w.limit
	w.metrics.judged(over <= 0)
	if over > 0 {
		w.sink.Raise(trace.ContextWithSpanContext(context.Background(), s.SpanContext()), Alert{
			"warning", "performance.sla.violation", w.task,
			fmt.Sprintf("%s over its limit of %s", over, w.limit), text(s, "tasker.correlation_id"),
		})
	}
}

// number is a number of the template, whether or not it has a fraction.
func number(v any) float64 {
	switch n := v.(type) {
	case float64:
		return n
	case int:
		return float64(n)
	case int64:
		return float64(n)
	}
	return 0
}
