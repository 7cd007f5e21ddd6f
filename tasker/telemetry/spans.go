package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker"
)

// attempt names an attempt of a step, or one to undo it.
type attempt struct {
	task   tasker.ID
	step   string
	number int
	undo   bool
}

// openSpan is the span of an attempt of which it is not on record yet how it
// ended.
type openSpan struct {
	trace.Span
	returned time.Time // when the handler was done; zero for not yet
}

// openSpans are all of them. A span is ended by the record of its outcome; one
// whose record never comes, since the task was lost to another worker, is
// ended when the handler returns, or by the sweep.
type openSpans struct {
	mu    sync.Mutex
	open  map[attempt]*openSpan
	swept time.Time
}

// sweepAfter is how long a record is waited for once its handler is done.
const sweepAfter = 2 * time.Minute

// submit begins a task's trace.
func (w *wire) submit(ctx context.Context, namespace, task string) (string, func(tasker.ID, error)) {
	ctx, span := w.tracer.Start(ctx, "tasker.task.submit", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("tasker.task.namespace", namespace), attribute.String("tasker.task.name", task)))
	return traceparentOf(ctx), func(id tasker.ID, err error) {
		if span.IsRecording() {
			switch {
			case err != nil:
				span.SetAttributes(attribute.String("error.type", codeOfSubmit(err)))
				span.SetStatus(codes.Error, "")
			default:
				span.SetAttributes(attribute.String("tasker.task.id", id.String()))
			}
		}
		span.End()
	}
}

func codeOfSubmit(err error) string {
	var refused *tasker.Rejected
	if errors.As(err, &refused) {
		return refused.Code
	}
	return "SUBMIT_FAILED"
}

// run is the middleware around every attempt.
func (w *wire) run(next tasker.Runner) tasker.Runner {
	return func(ctx context.Context) (result any, err error) {
		a := tasker.Current(ctx)
		began, panicked := time.Now(), true
		w.instruments.begins(ctx, a, began)
		ctx, span := w.tracer.Start(parentOf(ctx, a.Trace), undoOr(a.Undo, "tasker.step.undo", "tasker.step.execute"), ofConsumer)
		key, open := attempt{a.TaskID, a.Step, a.Number, a.Undo}, (*openSpan)(nil)
		if span.IsRecording() {
			describe(span, a)
			a.SetTrace(traceparentOf(ctx)) // what nobody samples need not be found again
			open = &openSpan{Span: span}
			w.add(key, open)
		}
		defer func() { // also after a panic, which goes on to the engine
			w.instruments.ends(ctx, a, time.Since(began), outcomeOfReturn(ctx, err, panicked))
			if open != nil {
				w.returned(key, open, context.Cause(ctx))
			}
		}()
		result, err = next(ctx)
		panicked = false
		return result, err
	}
}

var ofConsumer = trace.WithSpanKind(trace.SpanKindConsumer)

// describe says of an attempt's span which attempt it is, and what it follows
// from.
func describe(span trace.Span, a *tasker.Attempt) {
	span.SetAttributes(append(taskAttributes(a.Namespace, a.Name, a.Version),
		attribute.String("tasker.task.id", a.TaskID.String()),
		attribute.String("tasker.correlation_id", a.CorrelationID),
		attribute.String("tasker.step.name", a.Step),
		attribute.Int("tasker.step.attempt", a.Number),
		attribute.Int("tasker.step.max_attempts", a.Max))...)
	for _, cause := range a.Causes() {
		span.AddLink(trace.LinkFromContext(parentOf(context.Background(), cause)))
	}
}

// recorded ends what a record tells the end of.
func (w *wire) recorded(row *tasker.Row, r *tasker.Record, e *tasker.Event) {
	if e.Step != "" {
		if outcome := outcomeOf(e); outcome != none {
			w.settle(attempt{row.ID, e.Step, e.Attempt, e.Undo}, e, outcome)
		}
	}
	if state := e.Change.TaskTo; state.Final() {
		w.finish(row, r, e, state)
	}
}

// finish makes the span of a whole task: it is known at its end.
func (w *wire) finish(row *tasker.Row, r *tasker.Record, e *tasker.Event, state tasker.TaskState) {
	ctx := parentOf(context.Background(), row.Trace)
	_, span := w.tracer.Start(ctx, "tasker.task.finish", trace.WithTimestamp(row.CreatedAt))
	if span.IsRecording() {
		span.SetAttributes(append(taskAttributes(row.Namespace, row.Name, row.Version),
			attribute.String("tasker.task.id", row.ID.String()),
			attribute.String("tasker.correlation_id", row.CorrelationID),
			attribute.String("tasker.task.outcome", state.String()))...)
		if state == tasker.TaskError {
			span.SetStatus(codes.Error, "")
		} else {
			span.SetStatus(codes.Ok, "")
		}
	}
	span.End(trace.WithTimestamp(r.At))
}

func (o *openSpans) add(key attempt, span *openSpan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[key] = span
	o.sweep(time.Now())
}

// settle ends the span of an attempt whose outcome is on record. Where the
// handler still runs, its span ends now: the engine has given it up.
func (o *openSpans) settle(key attempt, e *tasker.Event, outcome outcome) {
	o.mu.Lock()
	span := o.open[key]
	delete(o.open, key)
	o.mu.Unlock()
	if span == nil {
		return
	}
	span.SetAttributes(attribute.String("tasker.step.outcome", outcome.String()))
	switch {
	case e.Error != nil:
		span.SetAttributes(attribute.String("error.type", e.Error.Code))
		span.SetStatus(codes.Error, "")
	case outcome == success || outcome == parked:
		span.SetStatus(codes.Ok, "")
	}
	if e.Kind == tasker.Retrying {
		span.AddEvent("tasker.step.retry_scheduled", trace.WithAttributes(
			attribute.Int("tasker.step.attempt", e.Attempt+1),
			attribute.Float64("tasker.retry.delay", e.Delay.Seconds()),
			attribute.String("error.type", e.Error.Code)))
	}
	span.end()
}

func (s *openSpan) end() {
	if s.returned.IsZero() {
		s.End()
		return
	}
	s.End(trace.WithTimestamp(s.returned))
}

// returned notes that a handler is done. Where its task is not this worker's
// any more, no record will tell how it ended.
func (o *openSpans) returned(key attempt, span *openSpan, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	span.returned = time.Now()
	outcome := none
	switch {
	case errors.Is(cause, tasker.ErrCancelled):
		outcome = cancelled
	case errors.Is(cause, tasker.ErrLeaseLost):
		outcome = lost
	}
	if outcome != none && o.open[key] == span {
		delete(o.open, key)
		span.SetAttributes(attribute.String("tasker.step.outcome", outcome.String()))
		span.end()
	}
}

// sweep ends spans whose records never came.
func (o *openSpans) sweep(now time.Time) {
	if now.Sub(o.swept) < sweepAfter {
		return
	}
	o.swept = now
	for key, span := range o.open {
		if !span.returned.IsZero() && now.Sub(span.returned) > sweepAfter {
			delete(o.open, key)
			span.SetAttributes(attribute.String("tasker.step.outcome", lost.String()))
			span.end()
		}
	}
}
