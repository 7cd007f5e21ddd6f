package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/telemetry"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func TestATaskIsOneTraceWithASpanAnAttemptAndLinksAlongTheDAG(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, nil).start()
		task := w.await(w.submit(t.Context()))
		w.stop()
		submit, finish := w.span("tasker.task.submit"), w.span("tasker.task.finish")
		if names := w.names(); len(names) != 6 || task.State != tasker.TaskComplete {
			t.Errorf("the spans of a task that is %s are %v", task.State, names)
		}
		for _, s := range w.spans.Ended() {
			if s.SpanContext().TraceID() != submit.SpanContext().TraceID() {
				t.Errorf("%s is of another trace", s.Name())
			}
			if s != submit && s.Parent().SpanID() != submit.SpanContext().SpanID() {
				t.Errorf("%s is no child of the submit", s.Name())
			}
			if s != submit && s.Status().Code != codes.Ok {
				t.Errorf("%s has the status %v", s.Name(), s.Status())
			}
		}
		if !finish.StartTime().Equal(task.CreatedAt) || !finish.EndTime().Equal(task.FinishedAt) {
			t.Errorf("the span of the task is from %v to %v, the task from %v to %v", finish.StartTime(), finish.EndTime(), task.CreatedAt, task.FinishedAt)
		}
		for name, causes := range map[string][]string{"cart": nil, "pay": {"cart"}, "stock": {"cart"}, "mail": {"pay", "stock"}} {
			var want, got []trace.SpanID
			for _, cause := range causes {
				want = append(want, w.span("tasker.step.execute", step(cause, 1)...).SpanContext().SpanID())
			}
			for _, link := range w.span("tasker.step.execute", step(name, 1)...).Links() {
				got = append(got, link.SpanContext.SpanID())
			}
			if !slices.Equal(want, got) {
				t.Errorf("%s is linked to %v, want %v", name, got, want)
			}
		}
		w.holds(map[string]int64{
			"tasker.tasks.submitted{namespace=shop,task=order}":                                 1,
			"tasker.tasks.finished{namespace=shop,outcome=complete,task=order}":                 1,
			"tasker.tasks.active{namespace=shop}":                                               0,
			"tasker.task.duration{namespace=shop,outcome=complete,task=order}":                  1,
			"tasker.step.attempts{namespace=shop,outcome=success,step=mail,task=order}":         1,
			"tasker.step.duration{namespace=shop,outcome=success,step=mail,task=order}":         1,
			"tasker.step.queue.wait{namespace=shop}":                                            4,
			"tasker.state.transitions{entity=step,from=in_progress,namespace=shop,to=complete}": 4,
			"tasker.state.transitions{entity=task,from=in_progress,namespace=shop,to=complete}": 1,
			"tasker.events.published{event=payment.made,mode=fast,namespace=shop}":              1,
		})
	})
}

func TestAnAttemptThatTimesOutIsAnErrorAndTheNextOneItsSibling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, tasker.Handlers{"pay": hanging(1)}).start()
		task := w.await(w.submit(t.Context()))
		w.stop()
		first, second := w.span("tasker.step.execute", step("pay", 1)...), w.span("tasker.step.execute", step("pay", 2)...)
		if task.State != tasker.TaskComplete || first.Status().Code != codes.Error || second.Status().Code != codes.Ok || !first.Parent().Equal(second.Parent()) {
			t.Errorf("the task is %s, its attempts have %v and %v", task.State, first.Status(), second.Status())
		}
		if took := first.EndTime().Sub(first.StartTime()); took != 10*time.Second {
			t.Errorf("the span of the attempt that hung is %v long", took)
		}
		for _, want := range []attribute.KeyValue{attribute.String("error.type", tasker.CodeTimeout), attribute.String("tasker.step.outcome", "timeout")} {
			if !slices.Contains(first.Attributes(), want) {
				t.Errorf("the span of the attempt that hung has %v, and not %v", first.Attributes(), want)
			}
		}
		if events := first.Events(); len(events) != 1 || events[0].Name != "tasker.step.retry_scheduled" || !slices.Contains(events[0].Attributes, attribute.Float64("tasker.retry.delay", 0.1)) {
			t.Errorf("its events are %v", events)
		}
		if finish := w.span("tasker.task.finish"); finish.Status().Code != codes.Ok {
			t.Errorf("a task that was healed has the status %v", finish.Status())
		}
		w.holds(map[string]int64{
			"tasker.step.retries{error_type=STEP_TIMEOUT,namespace=shop,step=pay,task=order}": 1,
			"tasker.step.attempts{namespace=shop,outcome=timeout,step=pay,task=order}":        1,
			"tasker.step.duration{namespace=shop,outcome=timeout,step=pay,task=order}":        1,
			"tasker.step.duration{namespace=shop,outcome=success,step=pay,task=order}":        1,
		})
	})
}

func TestATaskThatFailsEndsItsTraceInAnErrorAndTellsNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, tasker.Handlers{"pay": failing(errors.New("no"), errors.New("no"))}).start()
		w.await(w.submit(t.Context()))
		w.stop()
		if finish := w.span("tasker.task.finish"); finish.Status().Code != codes.Error || !slices.Contains(finish.Attributes(), attribute.String("tasker.task.outcome", "error")) {
			t.Errorf("the end of the task is %v, %v", finish.Status(), finish.Attributes())
		}
		for _, s := range w.spans.Ended() {
			if slices.Contains(s.Attributes(), attribute.String("tasker.step.name", "mail")) {
				t.Error("a step that never ran has a span")
			}
		}
		w.holds(map[string]int64{
			"tasker.step.exhausted{namespace=shop,step=pay,task=order}":      1,
			"tasker.tasks.finished{namespace=shop,outcome=error,task=order}": 1,
		})
	})
}

func TestAPermanentFailureAPanicAndAParkedAttemptHaveTheirOutcomes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		handler tasker.Handler
		outcome string
		status  codes.Code
	}{
		{"permanent", failing(tasker.Permanent("NO", "no"), tasker.Permanent("NO", "no")), "permanent_error", codes.Error},
		{"panic", tasker.Step(func(context.Context, struct{}) (any, error) { panic("no") }), "permanent_error", codes.Error},
		{"parked", tasker.Step(func(ctx context.Context, _ struct{}) (any, error) { return tasker.Ask[bool](ctx, tasker.Question{}) }), "parked", codes.Ok},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, tasker.Handlers{"pay": tt.handler}).start()
				w.await(w.submit(t.Context()))
				w.stop()
				s := w.span("tasker.step.execute", step("pay", 1)...)
				if s.Status().Code != tt.status || !slices.Contains(s.Attributes(), attribute.String("tasker.step.outcome", tt.outcome)) {
					t.Errorf("the span has %v, %v", s.Status(), s.Attributes())
				}
				w.holds(map[string]int64{
					"tasker.step.attempts{namespace=shop,outcome=" + tt.outcome + ",step=pay,task=order}": 1,
					"tasker.step.duration{namespace=shop,outcome=" + tt.outcome + ",step=pay,task=order}": 1,
				})
			})
		})
	}
}

func TestAnEndByAnOperatorsHandIsToldLikeAnyOther(t *testing.T) {
	t.Parallel()
	by := tasker.By{Actor: "ops", Reason: "a test"}
	for outcome, end := range map[string]func(w *watched, id tasker.ID) error{
		"cancelled": func(w *watched, id tasker.ID) error { return w.Cancel(w.t.Context(), id, by) },
		"resolved_manually": func(w *watched, id tasker.ID) error {
			_, err := w.ResolveTask(w.t.Context(), id, by)
			return err
		},
		"error": func(w *watched, id tasker.ID) error {
			_, err := w.FailStep(w.t.Context(), id, "cart", nil, by)
			return err
		},
	} {
		w := watch(t, nil) // with no worker
		if err := end(w, w.submit(t.Context())); err != nil {
			t.Fatal(err)
		}
		w.span("tasker.task.finish", attribute.String("tasker.task.outcome", outcome))
		w.holds(map[string]int64{
			"tasker.tasks.active{namespace=shop}":                                                  0,
			"tasker.tasks.finished{namespace=shop,outcome=" + outcome + ",task=order}":             1,
			"tasker.state.transitions{entity=task,from=pending,namespace=shop,to=" + outcome + "}": 1,
		})
		if !strings.Contains(w.logs.String(), `"outcome":"`+outcome+`"`) {
			t.Errorf("%s: the log says %s", outcome, w.logs)
		}
	}
}

// undone is a workflow whose first step is undone when the second fails.
const undone = `
name: order
namespace_name: shop
version: 1.0.0
on_failure: compensate
steps:
  - {name: pay, handler: {callable: pay}, compensate: {callable: refund, retry: {limit: 2, backoff_base_ms: 100, jitter: 0}}}
  - {name: mail, handler: {callable: mail}, dependencies: [pay], retry: {limit: 1}}
`

func TestTheAttemptsToUndoAStepAreNoneOfTheSteps(t *testing.T) {
	t.Parallel()
	parsed, err := template.Parse("undone.yaml", []byte(undone))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		refund := tasker.Undo(func(context.Context, struct{}, *struct{}) (any, error) {
			if calls++; calls == 1 {
				return nil, errors.New("not now")
			}
			return nil, nil
		})
		w := watch(t, tasker.Handlers{"mail": failing(errors.New("no")), "refund": refund}, func(c *tasker.Config) { c.Templates = []*template.Template{parsed} }).start()
		w.await(w.submit(t.Context()))
		w.stop()
		w.holds(map[string]int64{
			"tasker.step.attempts{namespace=shop,outcome=success,step=pay,task=order}":            1,
			"tasker.step.duration{namespace=shop,outcome=success,step=pay,task=order}":            1,
			"tasker.step.exhausted{namespace=shop,step=mail,task=order}":                          1,
			"tasker.undo.attempts{namespace=shop,outcome=retryable_error,step=pay,task=order}":    1,
			"tasker.undo.attempts{namespace=shop,outcome=success,step=pay,task=order}":            1,
			"tasker.undo.duration{namespace=shop,outcome=success,step=pay,task=order}":            1,
			"tasker.undo.retries{error_type=UNEXPECTED_ERROR,namespace=shop,step=pay,task=order}": 1,
			"tasker.state.transitions{entity=step,from=in_progress,namespace=shop,to=complete}":   1,
			"tasker.state.transitions{entity=undo,from=in_progress,namespace=shop,to=complete}":   1,
		})
	})
}

func TestTheTraceGoesOnInWhateverProcessTheTaskDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		client := watch(t, nil, on(store))
		ctx, caller := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "a request")
		id := client.submit(ctx)
		caller.End()

		first := watch(t, tasker.Handlers{"pay": hanging(9), "stock": hanging(9)}, on(store)).start()
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = first.Stop(ctx)
		second := watch(t, nil, on(store)).start()
		second.await(id)
		second.stop()

		submit := client.span("tasker.task.submit")
		if submit.Parent().SpanID() != caller.SpanContext().SpanID() {
			t.Error("the submit is no child of the caller's span")
		}
		for _, s := range append(first.spans.Ended(), second.spans.Ended()...) {
			if s.SpanContext().TraceID() != caller.SpanContext().TraceID() {
				t.Errorf("%s is of another trace", s.Name())
			}
		}
		cart, pay := first.span("tasker.step.execute", step("cart", 1)...), second.span("tasker.step.execute", step("pay", 2)...)
		if links := pay.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != cart.SpanContext().SpanID() {
			t.Errorf("a step is not linked to the one that ran elsewhere: %v", links)
		}
		if lost := first.span("tasker.step.execute", step("pay", 1)...); !slices.Contains(lost.Attributes(), attribute.String("tasker.step.outcome", "lost")) {
			t.Errorf("the attempt that was cut off has %v", lost.Attributes())
		}
	})
}

// canary must not be found anywhere.
const canary = "canary-7f3a"

func TestNothingPrivateIsToldAnywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events bytes.Buffer
		leaky := tasker.Step(func(ctx context.Context, _ struct{}) (map[string]any, error) {
			tasker.Annotate(ctx, "note", canary)
			return map[string]any{"amount": 5, "secret": canary}, nil
		})
		w := watch(t, tasker.Handlers{
			"cart": leaky, "pay": leaky,
			"stock": failing(fmt.Errorf("the card %s is not known", canary)),
			"mail":  failing(tasker.Permanent("NO", "%s", canary).With("secret", canary)),
		}).start()
		stop, err := w.Subscribe(tasker.Subscription{Name: "all", Pattern: "*", Handle: func(_ context.Context, e tasker.DomainEvent) error {
			return json.NewEncoder(&events).Encode(e)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		w.await(w.submit(t.Context()))
		w.stop()
		var told strings.Builder
		for _, s := range w.spans.Ended() {
			fmt.Fprintln(&told, s.Name(), s.Attributes(), s.Events(), s.Status())
		}
		fmt.Fprintln(&told, w.figures(), w.logs.String(), events.String())
		if i := strings.Index(told.String(), canary); i >= 0 {
			t.Errorf("it is told: …%s…", told.String()[max(0, i-200):i+len(canary)])
		}
		if !strings.Contains(told.String(), "payment.made") || !strings.Contains(told.String(), "error.type") || !strings.Contains(told.String(), "tasker.step.failed") {
			t.Errorf("nothing was told that could have had it:\n%s", told.String())
		}
	})
}

func TestTheNumberOfSeriesDoesNotGrowWithTheTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, nil).start()
		w.await(w.submit(t.Context()))
		synctest.Wait()
		one := slices.Sorted(maps.Keys(w.figures()))
		for range 49 {
			w.await(w.submit(t.Context()))
		}
		synctest.Wait()
		if diff := cmp.Diff(one, slices.Sorted(maps.Keys(w.figures()))); diff != "" {
			t.Errorf("fifty tasks have other series than one (-one +fifty):\n%s", diff)
		}
		known := []string{"namespace", "task", "step", "outcome", "error_type", "entity", "from", "to", "event", "mode", "reason", "result"}
		for _, series := range one {
			_, list, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
			for _, label := range strings.Split(list, ",") {
				if name, _, _ := strings.Cut(label, "="); !slices.Contains(known, name) {
					t.Errorf("%s has a label that may have any value", series)
				}
			}
		}
	})
}

func TestWithoutProvidersNothingIsToldAndNothingChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, tasker.Handlers{"pay": hanging(1)}, func(c *tasker.Config) {
			if err := telemetry.Wire(c, telemetry.Options{Traces: noop.NewTracerProvider()}); err != nil {
				t.Fatal(err)
			}
		}).start()
		if task := w.await(w.submit(t.Context())); task.State != tasker.TaskComplete {
			t.Errorf("the task is %s", task.State)
		}
	})
}

func TestEnginesOfOneProcessCountTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		var last *watched
		for range 2 {
			last = watch(t, nil, func(c *tasker.Config) {
				if err := telemetry.Wire(c, telemetry.Options{Metrics: provider}); err != nil {
					t.Fatal(err)
				}
			}).start()
			last.await(last.submit(t.Context()))
			last.stop()
		}
		last.metrics = reader
		last.holds(map[string]int64{
			"tasker.tasks.submitted{namespace=shop,task=order}":                 2,
			"tasker.tasks.finished{namespace=shop,outcome=complete,task=order}": 2,
			"tasker.tasks.active{namespace=shop}":                               0,
			"tasker.step.queue.wait{namespace=shop}":                            8,
		})
	})
}
