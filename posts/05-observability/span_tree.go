package main

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// SpanShelf keeps the spans that have ended, up to a number, so that they can
// be shown without a collector.
type SpanShelf struct {
	onEnd
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

const mostSpans = 20_000

// OnEnd implements [sdktrace.SpanProcessor].
func (s *SpanShelf) OnEnd(span sdktrace.ReadOnlySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spans) < mostSpans {
		s.spans = append(s.spans, span)
	}
}

// Trace gives the spans of the trace that a task is in, in the order in which
// they ended.
func (s *SpanShelf) Trace(task string) (found []sdktrace.ReadOnlySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var id trace.TraceID
	for _, span := range s.spans {
		if text(span, "tasker.task.id") == task {
			id = span.SpanContext().TraceID()
			break
		}
	}
	for _, span := range s.spans {
		if id.IsValid() && span.SpanContext().TraceID() == id {
			found = append(found, span)
		}
	}
	slices.SortStableFunc(found, func(a, b sdktrace.ReadOnlySpan) int { return a.EndTime().Compare(b.EndTime()) })
	return found
}

// tree draws the spans of a trace: who is whose child, when each began, how
// long it took, and what came of it.
func tree(spans []sdktrace.ReadOnlySpan) (lines []string) {
	if len(spans) == 0 {
		return nil
	}
	began := slices.MinFunc(spans, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) }).StartTime()
	there := map[trace.SpanID]bool{}
	for _, s := range spans {
		there[s.SpanContext().SpanID()] = true
	}
	var below func(parent trace.SpanID, indent string)
	draw := func(s sdktrace.ReadOnlySpan, lead, indent string) {
		after, took := s.StartTime().Sub(began), s.EndTime().Sub(s.StartTime())
		lines = append(lines, fmt.Sprintf("%-48s %9s %9s  %s", lead+nameOf(s), "+"+ms(after), ms(took), outcomeOf(s)))
		below(s.SpanContext().SpanID(), indent)
	}
	below = func(parent trace.SpanID, indent string) {
		var children []sdktrace.ReadOnlySpan
		for _, s := range spans {
			if s.Parent().SpanID() == parent {
				children = append(children, s)
			}
		}
		for i, s := range children {
			if i < len(children)-1 {
				draw(s, indent+"├─ ", indent+"│  ")
			} else {
				draw(s, indent+"└─ ", indent+"   ")
			}
		}
	}
	for _, s := range spans {
		if !there[s.Parent().SpanID()] {
			draw(s, "", "")
		}
	}
	return lines
}

// nameOf is a span's name with which attempt of which step it is.
func nameOf(s sdktrace.ReadOnlySpan) string {
	step := text(s, "tasker.step.name")
	if step == "" {
		return s.Name()
	}
	return fmt.Sprintf("%s %s %s/%s", s.Name(), step, text(s, "tasker.step.attempt"), text(s, "tasker.step.max_attempts"))
}

func outcomeOf(s sdktrace.ReadOnlySpan) string {
	outcome := cmp.Or(text(s, "tasker.step.outcome"), text(s, "tasker.task.outcome"), "ok")
	if outcome == "ok" && s.Status().Code == codes.Error {
		outcome = "error"
	}
	if code := text(s, "error.type"); code != "" {
		outcome += " " + code
	}
	for _, e := range s.Events() {
		for _, a := range e.Attributes {
			if a.Key == "tasker.retry.delay" {
				outcome += ", the next in " + ms(time.Duration(a.Value.AsFloat64()*float64(time.Second)))
			}
		}
	}
	return outcome
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000) }
