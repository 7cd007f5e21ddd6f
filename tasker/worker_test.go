package tasker_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// One step succeeds, one fails for good, one fails and becomes due again. At
// every sample from the failure on the task is blocked by it.
func TestATaskWithAFailedStepIsBlockedHoweverReadyItsOthersAre(t *testing.T) {
	t.Parallel()
	runs := 1000
	if testing.Short() {
		runs = 100
	}
	s := start(t, `
steps:
  - {name: good, handler: {callable: good}}
  - {name: bad, handler: {callable: bad}}
  - {name: again, handler: {callable: again}, retry: {limit: 2, backoff_base_ms: 1}}`, tasker.Handlers{
		"good":  fine,
		"bad":   doing(func(context.Context) error { return tasker.Permanent("BAD", "bad") }),
		"again": doing(func(context.Context) error { return errors.New("again") }),
	})
	for range runs {
		id := s.submit()
		for failed := false; ; {
			task := s.task(id)
			status, err := s.Status(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if failed && status.ExecutionStatus != "blocked_by_failures" {
				t.Fatalf("after the failure the status is %+v", status)
			}
			failed = failed || task.Steps[1].State == tasker.StepError
			if task.State == tasker.TaskBlocked {
				break
			}
		}
		if task := s.await(id); task.State != tasker.TaskBlocked {
			t.Fatalf("in the end the task is %s", task.State)
		}
	}
}

func TestCancelEndsRunningHandlersAndStartsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cause error
		var later atomic.Int32
		s := start(t, `
steps:
  - {name: a, handler: {callable: a}}
  - {name: b, handler: {callable: b}, dependencies: [a]}`, tasker.Handlers{
			"a": doing(func(ctx context.Context) error { <-ctx.Done(); cause = context.Cause(ctx); return nil }),
			"b": doing(func(context.Context) error { later.Add(1); return nil }),
		})
		id := s.submit()
		synctest.Wait()
		if err := s.Cancel(t.Context(), id, tasker.By{Actor: "ops", Reason: "by mistake"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		task := s.task(id)
		if !errors.Is(cause, tasker.ErrCancelled) || !errors.Is(cause, context.Canceled) {
			t.Errorf("the handler's context ended by %v", cause)
		}
		if task.State != tasker.TaskCancelled || task.Steps[0].State != tasker.StepCancelled || task.Steps[1].State != tasker.StepCancelled || later.Load() != 0 {
			t.Errorf("the task is %s, its steps %s and %s, and b ran %d times", task.State, task.Steps[0].State, task.Steps[1].State, later.Load())
		}
		log, _ := s.History(t.Context(), id)
		if e := log[len(log)-1].Events[0]; e.Kind != tasker.Cancelled || e.Actor != "ops" || e.Reason != "by mistake" {
			t.Errorf("the history ends with %+v", e)
		}
		if err := s.Cancel(t.Context(), id, tasker.By{}); !errors.Is(err, tasker.ErrEnded) {
			t.Errorf("cancelling again gives %v", err)
		}
		if stats := s.Stats(); stats.Held != 0 || stats.Running != 0 {
			t.Errorf("the engine still has %+v", stats)
		}
	})
}

func TestCancelNeedsNoWorker(t *testing.T) {
	t.Parallel()
	s := open(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{"a": fine})
	id := s.submit()
	if err := s.Cancel(t.Context(), id, tasker.By{Actor: "ops"}); err != nil {
		t.Fatal(err)
	}
	if task := s.await(id); task.State != tasker.TaskCancelled {
		t.Errorf("the task is %s", task.State)
	}
}

func TestRetriesComeOnTimeToTheNanosecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		// The first wait is kept in hand, the later ones are left to the store.
		s := start(t, `steps: [{name: a, handler: {callable: a}, retry: {limit: 5, backoff_base_ms: 700, max_backoff_ms: 60000, jitter: 0}}]`, tasker.Handlers{
			"a": doing(func(context.Context) error { at = append(at, time.Since(began)); return errors.New("again") }),
		})
		s.run()
		var want time.Duration
		for i, wait := range []time.Duration{0, 700, 1400, 2800, 5600} {
			if want += wait * time.Millisecond; at[i] != want {
				t.Errorf("attempt %d came after %v, want %v", i+1, at[i], want)
			}
		}
	})
}

func TestASlowSiblingDoesNotDelayARetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var second time.Duration
		s := start(t, `
steps:
  - {name: slow, handler: {callable: slow}}
  - {name: a, handler: {callable: a}, retry: {limit: 2, backoff_base_ms: 100, jitter: 0}}`, tasker.Handlers{
			"slow": doing(func(context.Context) error { time.Sleep(time.Hour); return nil }),
			"a": doing(func(ctx context.Context) error {
				if tasker.Current(ctx).Number == 1 {
					return errors.New("again")
				}
				second = time.Since(began)
				return nil
			}),
		})
		s.run()
		if second != 100*time.Millisecond {
			t.Errorf("the second attempt came after %v", second)
		}
	})
}

func TestThreeExtractsOverlapAndTheAggregateWaitsForAll(t *testing.T) {
	t.Parallel()
	var arrived sync.WaitGroup
	arrived.Add(3)
	extract := doing(func(context.Context) error { arrived.Done(); arrived.Wait(); return nil }) // opens for all three or for none
	s := start(t, `
steps:
  - {name: e1, handler: {callable: e}}
  - {name: e2, handler: {callable: e}}
  - {name: e3, handler: {callable: e}}
  - {name: t1, handler: {callable: x}, dependencies: [e1]}
  - {name: t2, handler: {callable: x}, dependencies: [e2]}
  - {name: t3, handler: {callable: x}, dependencies: [e3]}
  - {name: aggregate, handler: {callable: x}, dependencies: [t1, t2, t3]}
  - {name: insights, handler: {callable: x}, dependencies: [aggregate]}`, tasker.Handlers{"e": extract, "x": fine})
	task := s.run()
	if task.State != tasker.TaskComplete {
		t.Fatalf("the task is %s", task.State)
	}
	for _, before := range task.Steps[3:6] {
		if task.Steps[6].StartedAt.Before(before.FinishedAt) {
			t.Errorf("the aggregate started before %s was done", before.Name)
		}
	}
}

func TestLimitsAreNeverExceeded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, top string
		change    func(*tasker.Config)
		want      int32
	}{
		{"of the process", "", func(c *tasker.Config) { c.Concurrency = 3 }, 3},
		{"of the namespace", "", func(c *tasker.Config) { c.NamespaceConcurrency = map[string]int{"test": 2} }, 2},
		{"of the template", "limits: {concurrency: 4}\n", func(*tasker.Config) {}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var now, peak atomic.Int32
				s := start(t, tt.top+`steps: [{name: a, handler: {callable: a}}, {name: b, handler: {callable: a}}]`, tasker.Handlers{
					"a": doing(func(context.Context) error {
						if n := now.Add(1); n > peak.Load() {
							peak.Store(n)
						}
						time.Sleep(time.Second)
						now.Add(-1)
						return nil
					}),
				}, tt.change)
				var ids []tasker.ID
				for range 10 {
					ids = append(ids, s.submit())
				}
				for _, id := range ids {
					s.await(id)
				}
				if peak.Load() != tt.want {
					t.Errorf("at most %d ran at once, want %d", peak.Load(), tt.want)
				}
			})
		})
	}
}

func TestAStopLetsHandlersFinishAndLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		handlers := tasker.Handlers{"slow": doing(func(context.Context) error { time.Sleep(time.Minute); return nil })}
		const source = "steps:\n  - {name: a, handler: {callable: slow}}\n  - {name: b, handler: {callable: slow}, dependencies: [a]}\n  - {name: c, handler: {callable: slow}}\n"
		first := open(t, source, handlers, func(c *tasker.Config) { c.Store, c.Concurrency = store, 1 })
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := first.submit()
		time.Sleep(time.Second)
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		task := first.task(id)
		if a, b := task.Steps[0], task.Steps[1]; a.State != tasker.StepComplete || b.State != tasker.StepPending || b.LostAttempts != 0 {
			t.Errorf("after the stop a is %s, b is %s with %d lost attempts", a.State, b.State, b.LostAttempts)
		}
		second := start(t, source, handlers, func(c *tasker.Config) { c.Store = store })
		for _, step := range second.await(id).Steps {
			if step.State != tasker.StepComplete || step.Attempts != 1 || step.LostAttempts != 0 {
				t.Errorf("%s is %s after %d attempts and %d lost ones", step.Name, step.State, step.Attempts, step.LostAttempts)
			}
		}
	})
}

func TestAHandlerThatIsCutOffByAStopIsRunAgainElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		var cause error
		const source = "steps: [{name: a, handler: {callable: a}, retry: {limit: 1}}]"
		first := open(t, source, tasker.Handlers{"a": doing(func(ctx context.Context) error { <-ctx.Done(); cause = context.Cause(ctx); return ctx.Err() })},
			func(c *tasker.Config) { c.Store = store })
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := first.submit()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := first.Stop(ctx); err != nil || !errors.Is(cause, tasker.ErrStopping) {
			t.Fatalf("stop gives %v, the handler was ended by %v", err, cause)
		}
		second := start(t, source, tasker.Handlers{"a": fine}, func(c *tasker.Config) { c.Store = store })
		if step := second.await(id).Steps[0]; step.State != tasker.StepComplete || step.LostAttempts != 1 || step.Attempts != 1 {
			t.Errorf("the step is %s after %d attempts and %d lost ones", step.State, step.Attempts, step.LostAttempts)
		}
	})
}

func TestManyEnginesShareAStoreAndRunEveryStepOnce(t *testing.T) {
	t.Parallel()
	store := memory.New()
	var mu sync.Mutex
	runs := map[string]int{}
	handlers := tasker.Handlers{"x": doing(func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		runs[tasker.Key(ctx)]++
		return nil
	})}
	const source = `
steps:
  - {name: a, handler: {callable: x}}
  - {name: b, handler: {callable: x}, dependencies: [a]}
  - {name: c, handler: {callable: x}, dependencies: [a]}
  - {name: d, handler: {callable: x}, dependencies: [b, c]}`
	var engines []shop
	for range 4 {
		engines = append(engines, start(t, source, handlers, func(c *tasker.Config) { c.Store, c.Concurrency = store, 8 }))
	}
	var ids []tasker.ID
	for i := range 500 {
		ids = append(ids, engines[i%4].submit())
	}
	for i, id := range ids {
		task := engines[i%4].await(id)
		for _, step := range task.Steps {
			if step.State != tasker.StepComplete || step.Attempts != 1 || step.LostAttempts != 0 {
				t.Fatalf("%s of task %d is %s after %d attempts", step.Name, i, step.State, step.Attempts)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for key, n := range runs {
		if n != 1 {
			t.Errorf("%s ran %d times", key, n)
		}
	}
	if len(runs) != 2000 {
		t.Errorf("%d steps ran, want 2000", len(runs))
	}
}

func TestTheTaskHandlerSeesTheEnd(t *testing.T) {
	t.Parallel()
	ended := make(chan tasker.TaskState, 1)
	s := start(t, "task_handler: {callable: th}\nsteps: [{name: a, handler: {callable: a}}]", tasker.Handlers{
		"a": fine,
		"th": tasker.OnSubmit(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }).
			OnFinish(func(_ context.Context, task *tasker.Task) { ended <- task.State }),
	})
	s.run()
	if state := <-ended; state != tasker.TaskComplete {
		t.Errorf("it saw %s", state)
	}
}
