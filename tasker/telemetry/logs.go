package telemetry

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker"
)

// NewLogHandler has each line that is logged with a handler's context say
// where it belongs: correlation_id, namespace, task, step and attempt, and the
// trace_id and span_id of the span in that context. They stand outside of the
// logger's groups.
func NewLogHandler(next slog.Handler) slog.Handler { return newLogHandler(next) }

func newLogHandler(next slog.Handler) *logHandler { return &logHandler{Handler: next, outer: next} }

type logHandler struct {
	slog.Handler
	outer  slog.Handler                      // without groups
	groups []func(slog.Handler) slog.Handler // and what came after the first of them
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	where := whereOf(ctx)
	if len(where) == 0 {
		return h.Handler.Handle(ctx, r)
	}
	next := h.outer.WithAttrs(where)
	for _, within := range h.groups {
		next = within(next)
	}
	return next.Handle(ctx, r)
}

func whereOf(ctx context.Context) (where []slog.Attr) {
	if a := tasker.Current(ctx); a != nil {
		where = append(where, slog.String("correlation_id", a.CorrelationID), slog.String("namespace", a.Namespace), slog.String("task", a.TaskID.String()))
		if a.Step != "" {
			where = append(where, slog.String("step", a.Step), slog.Int("attempt", a.Number))
		}
	}
	return append(where, traceAttrs(trace.SpanContextFromContext(ctx))...)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) }, len(h.groups) > 0)
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) }, name != "")
}

func (h *logHandler) with(change func(slog.Handler) slog.Handler, grouped bool) *logHandler {
	if grouped {
		return &logHandler{change(h.Handler), h.outer, append(slices.Clip(h.groups), change)}
	}
	return newLogHandler(change(h.Handler))
}

func traceAttrs(span trace.SpanContext) []slog.Attr {
	if !span.IsValid() {
		return nil
	}
	return []slog.Attr{slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String())}
}

// line logs how an attempt or a task ended.
func (w *wire) line(row *tasker.Row, r *tasker.Record, e *tasker.Event) {
	if w.log == nil {
		return
	}
	outcome := outcomeOf(e)
	if outcome != none {
		w.attemptLine(row, e, outcome)
	}
	if state := e.Change.TaskTo; state.Final() && e.Change.TaskFrom != state {
		level := slog.LevelInfo
		if state == tasker.TaskError {
			level = slog.LevelError
		}
		attrs := append(taskAttrs(row), slog.String("outcome", state.String()), slog.Int64("duration_ms", r.At.Sub(row.CreatedAt).Milliseconds()))
		attrs = append(attrs, traceAttrs(trace.SpanContextFromContext(parentOf(context.Background(), row.Trace)))...)
		w.log.LogAttrs(context.Background(), level, "tasker.task.finished", attrs...)
	}
}

func (w *wire) attemptLine(row *tasker.Row, e *tasker.Event, outcome outcome) {
	level, name := slog.LevelInfo, "tasker.step."+string(e.Kind.String())
	if e.Undo {
		name = "tasker.undo." + e.Kind.String()
	}
	attrs := append(taskAttrs(row), slog.String("step", e.Step), slog.Int("attempt", e.Attempt), slog.String("outcome", outcome.String()))
	if e.Error != nil {
		level = slog.LevelWarn
		if e.Kind == tasker.Failed {
			level = slog.LevelError
		}
		attrs = append(attrs, slog.String("error_type", e.Error.Code))
	}
	if e.Delay > 0 {
		attrs = append(attrs, slog.Int64("retry_in_ms", e.Delay.Milliseconds()))
	}
	traced := e.Trace
	if traced == "" {
		traced = row.Trace
	}
	attrs = append(attrs, traceAttrs(trace.SpanContextFromContext(parentOf(context.Background(), traced)))...)
	w.log.LogAttrs(context.Background(), level, name, attrs...)
}

func taskAttrs(row *tasker.Row) []slog.Attr {
	return []slog.Attr{slog.String("correlation_id", row.CorrelationID), slog.String("namespace", row.Namespace), slog.String("task", row.ID.String()), slog.String("name", row.Name)}
}
