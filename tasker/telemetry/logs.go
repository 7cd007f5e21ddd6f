package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker"
)

// NewLogHandler has each line that is logged with a handler's context say
// where it belongs: correlation_id, namespace, task, step and attempt, and the
// trace_id and span_id of the span in that context.
func NewLogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if a := tasker.Current(ctx); a != nil {
		r.AddAttrs(slog.String("correlation_id", a.CorrelationID), slog.String("namespace", a.Namespace), slog.String("task", a.TaskID.String()))
		if a.Step != "" {
			r.AddAttrs(slog.String("step", a.Step), slog.Int("attempt", a.Number))
		}
	}
	r.AddAttrs(traceAttrs(trace.SpanContextFromContext(ctx))...)
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
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
