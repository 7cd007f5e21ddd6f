package main

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// BottleneckWatch looks at each attempt's span when it has ended, and says
// when it took longer than the template lets a step take. It measures nothing
// itself: the span is the measurement.
type BottleneckWatch struct {
	onEnd
	thresholds map[string]time.Duration // by step
	sink       AlertSink
}

// otherwise is the threshold of a step that states none.
const otherwise = 5 * time.Second

func newBottleneckWatch(t *template.Template, sink AlertSink) *BottleneckWatch {
	w := &BottleneckWatch{thresholds: map[string]time.Duration{}, sink: sink}
	for i := range t.Steps {
		w.thresholds[t.Steps[i].Name] = thresholdOf(&t.Steps[i])
	}
	return w
}

func thresholdOf(s *template.Step) time.Duration {
	if stated := number(s.Handler.Initialization["bottleneck_seconds"]); stated > 0 {
		return time.Duration(stated * float64(time.Second))
	}
	return otherwise
}

// OnEnd implements [sdktrace.SpanProcessor].
func (w *BottleneckWatch) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.Name() != "tasker.step.execute" {
		return
	}
	step := text(s, "tasker.step.name")
	limit, known := w.thresholds[step]
	took := s.EndTime().Sub(s.StartTime())
	if !known || took <= limit {
		return
	}
	w.sink.Raise(trace.ContextWithSpanContext(context.Background(), s.SpanContext()), Alert{
		"warning", "performance.bottleneck", step,
		fmt.Sprintf("%.2f times its threshold of %s", took.Seconds()/limit.Seconds(), limit), text(s, "tasker.correlation_id"),
	})
}

// onEnd is what a span processor has besides OnEnd.
type onEnd struct{}

func (onEnd) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (onEnd) Shutdown(context.Context) error                  { return nil }
func (onEnd) ForceFlush(context.Context) error                { return nil }

// text is an attribute of a span; "" where it has none of that name.
func text(s sdktrace.ReadOnlySpan, name attribute.Key) string {
	for _, a := range s.Attributes() {
		if a.Key == name {
			return a.Value.String()
		}
	}
	return ""
}
