package tasker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

type panickingError struct{}

func (panickingError) Error() string { panic("no text") }

type panickingJSON struct{}

func (panickingJSON) MarshalJSON() ([]byte, error) { panic("no JSON") }

type node struct{ Next *node }

func TestAHandlerThatMisbehavesEndsInARecordedAttemptAndHurtsNobody(t *testing.T) {
	t.Parallel()
	loop := &node{}
	loop.Next = loop
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	tests := []struct {
		name string
		bad  tasker.Handler
		kind tasker.ErrorKind
		code string
		text string
	}{
		{"panics with a text", doing(func(context.Context) error { panic("boom") }), tasker.KindPermanent, tasker.CodePanic, "panic: boom"},
		{"panics with an error", doing(func(context.Context) error { panic(errors.New("boom")) }), tasker.KindPermanent, tasker.CodePanic, "panic: boom"},
		{"panics with nil", doing(func(context.Context) error { panic(nil) }), tasker.KindPermanent, tasker.CodePanic, "panic"},
		{"panics with an error that panics", doing(func(context.Context) error { panic(panickingError{}) }), tasker.KindPermanent, tasker.CodePanic, "panic"},
		{"exits its goroutine", doing(func(context.Context) error { runtime.Goexit(); return nil }), tasker.KindPermanent, tasker.CodeExit, "Goexit"},
		{"returns a nil pointer as an error", doing(func(context.Context) error { var e *tasker.Error; return e }), tasker.KindPermanent, tasker.CodeNilError, "nil *tasker.Error"},
		{"returns an error that panics", doing(func(context.Context) error { return panickingError{} }), tasker.KindPermanent, tasker.CodePanic, "Error method panics"},
		{"returns a plain error", doing(func(context.Context) error { return errors.New("plain") }), tasker.KindRetryable, tasker.CodeUnexpected, "plain"},
		{"returns a wrapped verdict", doing(func(context.Context) error { return fmt.Errorf("outer: %w", tasker.Permanent("MINE", "inner")) }), tasker.KindPermanent, "MINE", "outer: MINE: inner"},
		{"returns Canceled though nobody cancelled", doing(func(context.Context) error { return context.Canceled }), tasker.KindRetryable, tasker.CodeUnexpected, "canceled"},
		{"gives NaN", giving(math.NaN()), tasker.KindPermanent, tasker.CodeResult, "NaN"},
		{"gives a channel", giving(make(chan int)), tasker.KindPermanent, tasker.CodeResult, "chan"},
		{"gives a function", giving(func() {}), tasker.KindPermanent, tasker.CodeResult, "func"},
		{"gives a pointer to itself", giving(loop), tasker.KindPermanent, tasker.CodeResult, ""},
		{"gives a map of itself", giving(cyclic), tasker.KindPermanent, tasker.CodeResult, ""},
		{"gives JSON that panics", giving(panickingJSON{}), tasker.KindPermanent, tasker.CodeResult, "panicked"},
		{"gives too much", giving(strings.Repeat("x", 1<<20)), tasker.KindPermanent, tasker.CodeResultTooLarge, "larger than"},
		{"gives a NUL", giving(map[string]string{"a": "x\x00"}), tasker.KindPermanent, tasker.CodeResult, "/a"},
		{"gives text that is not UTF-8", giving(map[string]string{"a": "\xff"}), tasker.KindPermanent, tasker.CodeResult, "UTF-8"},
		{"gives a number that explodes", giving(json.RawMessage(`{"n": 1e131071}`)), tasker.KindPermanent, tasker.CodeResult, "/n"},
		{"fails with a NUL", doing(func(context.Context) error { return errors.New("a\x00b") }), tasker.KindRetryable, tasker.CodeUnexpected, `a\x00b`},
		{"fails with text that is not UTF-8", doing(func(context.Context) error { return errors.New("a\xffb") }), tasker.KindRetryable, tasker.CodeUnexpected, `a\xffb`},
		{"fails with a book", doing(func(context.Context) error { return errors.New(strings.Repeat("x", 16<<10+1)) }), tasker.KindPermanent, tasker.CodeErrorTooLarge, "16385 bytes"},
		{"fails with a code that is a book", doing(func(context.Context) error { return tasker.Retryable(strings.Repeat("X", 16<<10+1), "no") }), tasker.KindPermanent, tasker.CodeErrorTooLarge, "16385 bytes"},
		{"fails with figures that cannot be stored", doing(func(context.Context) error { return tasker.Permanent("MINE", "x").With("n", math.Inf(1)) }), tasker.KindPermanent, "MINE", "x"},
		{"notes what cannot be stored", doing(func(ctx context.Context) error {
			tasker.Annotate(ctx, "n", make(chan int))
			return tasker.Permanent("MINE", "x")
		}), tasker.KindPermanent, "MINE", "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, `steps: [{name: bad, handler: {callable: bad}, retry: {limit: 1}}]`, tasker.Handlers{"bad": tt.bad}, func(c *tasker.Config) { c.Concurrency = 2 })
			good := start(t, `steps: [{name: good, handler: {callable: good}}]`, tasker.Handlers{"good": fine})
			for range 3 { // more than there are slots
				step := s.run().Steps[0]
				if step.State != tasker.StepError || step.Attempts != 1 {
					t.Fatalf("the step is %s after %d attempts", step.State, step.Attempts)
				}
				if e := step.Error; e.Kind != tt.kind || e.Code != tt.code || !strings.Contains(e.Error(), tt.text) {
					t.Fatalf("it failed by %s %v, want %s %s with %q", e.Kind, e, tt.kind, tt.code, tt.text)
				}
			}
			if task := good.run(); task.State != tasker.TaskComplete {
				t.Errorf("a neighbour is %s", task.State)
			}
			if stats := s.Stats(); stats.Running != 0 || stats.Stuck != 0 {
				t.Errorf("afterwards the engine is busy with %+v", stats)
			}
		})
	}
}

func TestATimeoutEndsTheContextOnTimeAndIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var ended []time.Duration
		s := start(t, `steps: [{name: a, handler: {callable: a}, timeout_seconds: 2, retry: {limit: 2, backoff_base_ms: 100, jitter: 0}}]`, tasker.Handlers{
			"a": doing(func(ctx context.Context) error {
				<-ctx.Done()
				ended = append(ended, time.Since(began))
				return errors.New("the call was cut off")
			}),
		})
		step := s.run().Steps[0]
		if step.Error.Code != tasker.CodeTimeout || step.Error.Kind != tasker.KindRetryable || step.Attempts != 2 {
			t.Errorf("after %d attempts the step failed by %v", step.Attempts, step.Error)
		}
		if want := []time.Duration{2 * time.Second, 4100 * time.Millisecond}; len(ended) != 2 || ended[0] != want[0] || ended[1] != want[1] {
			t.Errorf("the contexts ended after %v, want %v", ended, want)
		}
	})
}

func TestAHandlerThatIgnoresItsContextLosesItsSlotAndIsCountedAsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := open(t, `steps: [{name: a, handler: {callable: a}, timeout_seconds: 1, retry: {limit: 1}}]`, tasker.Handlers{
			"a": doing(func(context.Context) error { <-release; return nil }),
		}, func(c *tasker.Config) { c.Concurrency = 1 })
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := s.submit()
		task := s.await(id)
		if e := task.Steps[0].Error; e.Code != tasker.CodeTimeout || e.Kind != tasker.KindRetryable {
			t.Errorf("the attempt is recorded as %v", e)
		}
		if stats := s.Stats(); stats.Stuck != 1 || stats.Running != 0 {
			t.Errorf("the engine counts %+v, want one stuck", stats)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := s.Stop(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 handlers") || !strings.Contains(err.Error(), "a of task "+id.String()) {
			t.Errorf("stop says %v", err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("stop took %v", took)
		}
		before, _ := s.History(t.Context(), id)
		close(release)
		synctest.Wait()
		if after, _ := s.History(t.Context(), id); len(after) != len(before) {
			t.Error("the late result changed the history")
		}
	})
}

func TestAKeyIsTheSameOnEachAttemptAndAnotherForEachStep(t *testing.T) {
	t.Parallel()
	keys := map[string][]string{}
	note := doing(func(ctx context.Context) error {
		a := tasker.Current(ctx)
		keys[a.Step] = append(keys[a.Step], tasker.Key(ctx))
		if a.Step == "b" && tasker.KeyOf(ctx, "a") != keys["a"][0] {
			t.Error("KeyOf gives another key than the step had")
		}
		if a.Number < 3 {
			return errors.New("again")
		}
		return nil
	})
	s := start(t, `
steps:
  - {name: a, handler: {callable: x}, retry: {backoff: none}}
  - {name: b, handler: {callable: x}, retry: {backoff: none}, dependencies: [a]}`, tasker.Handlers{"x": note})
	s.run()
	for step, k := range keys {
		if len(k) != 3 || k[0] != k[1] || k[1] != k[2] {
			t.Errorf("the keys of %s are %v", step, k)
		}
	}
	if keys["a"][0] == keys["b"][0] {
		t.Error("two steps share a key")
	}
}

func TestResultsReachEveryDescendantAndNotesStandBesideThem(t *testing.T) {
	t.Parallel()
	type made struct{ N int }
	s := start(t, `
steps:
  - {name: a, handler: {callable: a}}
  - {name: b, handler: {callable: b}, dependencies: [a]}
  - {name: c, handler: {callable: c, method: sum, initialization: {factor: 10}}, dependencies: [b]}`, tasker.Handlers{
		"a": giving(made{1}),
		"b": giving(made{2}),
		"c": tasker.Methods(map[string]tasker.Handler{"call": fine, "sum": tasker.Step(func(ctx context.Context, in struct {
			A      made `result:"a"`
			B      made `result:"b"`
			Factor int  `initialization:"factor"`
		}) (int, error) {
			tasker.Annotate(ctx, "note", "kept")
			return (in.A.N + in.B.N) * in.Factor, nil
		})}),
	})
	task := s.run()
	if got := task.Steps[2]; string(got.Result) != "30" || string(got.Metadata) != `{"note":"kept"}` {
		t.Errorf("c gives %s with %s", got.Result, got.Metadata)
	}
}

func TestWhatAHandlerDoesToItsCopyOfAResultHarmsNobody(t *testing.T) {
	t.Parallel()
	scribble := func(raw json.RawMessage, _ bool) { copy(raw, "\"XXXX\"") }
	s := start(t, `
steps:
  - {name: a, handler: {callable: fine}}
  - {name: b, handler: {callable: scribbles}, dependencies: [a]}
  - {name: c, handler: {callable: reads}, dependencies: [b]}`, tasker.Handlers{
		"fine": fine,
		"scribbles": doing(func(ctx context.Context) error {
			scribble(tasker.Current(ctx).Result("a"))
			scribble(tasker.Current(ctx).Context(), true)
			return nil
		}),
		"reads": tasker.Step(func(ctx context.Context, in struct {
			A string `result:"a"`
		}) (string, error) {
			return in.A + string(tasker.Current(ctx).Context()), nil
		}),
	})
	if task := s.run(); string(task.Steps[0].Result) != `"fine"` || string(task.Steps[2].Result) != `"fine{}"` {
		t.Errorf("the result is %s, and a later step has read %s", task.Steps[0].Result, task.Steps[2].Result)
	}
}

func TestMiddlewareWrapsFromTheOutsideInAndTheObserverSeesTheWholeLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		layer := func(name string) tasker.Middleware {
			return func(next tasker.Runner) tasker.Runner {
				return func(ctx context.Context) (any, error) {
					order = append(order, name)
					return next(ctx)
				}
			}
		}
		var seen []int64
		s := start(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{"a": fine}, func(c *tasker.Config) {
			c.Middleware = []tasker.Middleware{layer("outer"), layer("inner")}
			c.Observe = func(_ tasker.Row, r tasker.Record) { seen = append(seen, r.Seq) }
		})
		id := s.submit()
		s.await(id)
		synctest.Wait() // the loop has told the observer by then
		log, err := s.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(order, " ") != "outer inner" {
			t.Errorf("the layers run as %v", order)
		}
		for i := range log {
			if i >= len(seen) || seen[i] != log[i].Seq {
				t.Fatalf("the observer saw %v of %d records", seen, len(log))
			}
		}
	})
}
