package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// line is what lies between a handler and a service. It makes a span of each
// call, as the instrumentation of an HTTP client would, a child of the
// attempt's; and the night's incident strikes here.
type line struct {
	service string
	script  script
	calls   *post.Kept[int] // so far, of each task
}

func newLine(w *post.World, service string, s script) *line {
	return &line{service, s, post.Keep(w, "calls of "+service, func() int { return 0 })}
}

func (l *line) call(ctx context.Context, operation string, work func(context.Context) error) error {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(scope)
	ctx, span := tracer.Start(ctx, l.service+"."+operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("peer.service", l.service)))
	defer span.End()
	err := l.strike(ctx)
	if err == nil {
		err = work(ctx)
	}
	if err != nil {
		span.SetStatus(codes.Error, "") // what the service said may be anybody's secret
	}
	return err
}

// strike does what the script has for this call.
func (l *line) strike(ctx context.Context) error {
	number := 0
	if err := l.calls.Do(ctx, func(calls *int) error { *calls++; number = *calls; return nil }); err != nil {
		return err
	}
	if number > l.script.calls {
		return nil
	}
	switch l.script.strike {
	case hang:
		<-ctx.Done()
		return ctx.Err()
	case declined:
		return ErrDeclined
	default:
		return ErrUnavailable
	}
}
