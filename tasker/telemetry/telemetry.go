// Package telemetry tells OpenTelemetry what an engine does: a trace for each
// task across processes and restarts, metrics of low cardinality, and fields
// for log lines. It uses the API only. What becomes of it is for the program
// to say, by the providers that it gives; without any, nothing does.
//
//	config := tasker.Config{Store: store, Templates: templates, Handlers: handlers}
//	if err := telemetry.Wire(&config, telemetry.Options{}); err != nil { … }
//	engine, err := tasker.New(config)
//
// # Spans
//
//	tasker.task.submit    the task is submitted; the caller's span is its parent
//	tasker.step.execute   an attempt of a step, a child of the submit. It is linked
//	                      to the attempts that it follows from, along the DAG
//	tasker.step.undo      an attempt to undo a step
//	tasker.task.finish    from the task's creation to its end
//
// An attempt's span ends when its outcome is on record. Where another attempt
// will follow, it has an event tasker.step.retry_scheduled with the delay.
//
// # Metrics
//
//	tasker.tasks.submitted, .finished, .active       tasks; finished by outcome, which is the final state
//	tasker.task.duration                             seconds, from the creation to the end
//	tasker.step.attempts, .retries, .exhausted       attempts at steps, by outcome or code
//	tasker.step.duration                             seconds, in which a handler ran
//	tasker.undo.…                                    the same four, of the attempts to undo steps
//	tasker.step.queue.wait                           seconds, from the record that an attempt begins to its handler
//	tasker.state.transitions                         changes of state, by entity: task, step, undo
//	tasker.events.published, .failed, .dropped       domain events, by delivery mode
//	tasker.event.delivery.duration                   seconds, that a reader took for one
//
// # What is never told
//
// No context, no result, no text of an error: only names, numbers and codes. No
// id is a label of a metric.
package telemetry

import (
	"cmp"
	"context"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Options say whom to tell. The zero value asks OpenTelemetry's global
// providers, and logs nothing.
type Options struct {
	Traces  trace.TracerProvider
	Metrics metric.MeterProvider

	// Log is told of every outcome of an attempt and of the end of every task,
	// one line each.
	Log *slog.Logger
}

// scope names this package to OpenTelemetry.
const scope = "github.com/tasker-systems/tasker-go/tasker/telemetry"

// Wire has engines that are made of config tell what they do. What config has
// of middleware and observers stays, and runs within.
func Wire(config *tasker.Config, o Options) error {
	if o.Traces == nil {
		o.Traces = otel.GetTracerProvider()
	}
	if o.Metrics == nil {
		o.Metrics = otel.GetMeterProvider()
	}
	i, err := newInstruments(o.Metrics.Meter(scope))
	if err != nil {
		return err
	}
	w := &wire{tracer: o.Traces.Tracer(scope), instruments: i, log: o.Log, openSpans: openSpans{open: map[attempt]*openSpan{}}}
	config.TraceSubmit = w.submit
	config.Middleware = append([]tasker.Middleware{w.run}, config.Middleware...)
	config.Observe = both(w.observe, config.Observe)
	config.ObserveEvents = bothNotices(w.notice, config.ObserveEvents)
	return nil
}

func both(first, second func(tasker.Row, tasker.Record)) func(tasker.Row, tasker.Record) {
	if second == nil {
		return first
	}
	return func(row tasker.Row, r tasker.Record) { first(row, r); second(row, r) }
}

func bothNotices(first, second func(tasker.EventNotice)) func(tasker.EventNotice) {
	if second == nil {
		return first
	}
	return func(n tasker.EventNotice) { first(n); second(n) }
}

// wire is what stands between an engine and OpenTelemetry.
type wire struct {
	tracer      trace.Tracer
	instruments *instruments
	log         *slog.Logger
	openSpans
}

// observe is told of every record that the engine has stored.
func (w *wire) observe(row tasker.Row, r tasker.Record) {
	for i := range r.Events {
		e := &r.Events[i]
		w.instruments.count(&row, &r, e)
		w.recorded(&row, &r, e)
		w.line(&row, &r, e)
	}
}

// traceContext is the W3C form in which a task keeps where it belongs.
var traceContext propagation.TraceContext

// parentOf is a context in which spans belong to a traceparent.
func parentOf(ctx context.Context, traceparent string) context.Context {
	return traceContext.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

func traceparentOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	traceContext.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// undoOr is a name for an attempt at a step, or at its undoing.
func undoOr(undo bool, undoing, step string) string {
	if undo {
		return undoing
	}
	return step
}

// taskAttributes tell which kind of task something is about.
func taskAttributes(namespace, name, version string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("tasker.task.namespace", namespace),
		attribute.String("tasker.task.name", name),
		attribute.String("tasker.task.version", cmp.Or(version, "latest")),
	}
}
