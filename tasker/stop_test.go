package tasker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// A loop that turns without rest would stop the clock of the bubble for good.
func TestAWorkerThatStopsRestsUntilItsHandlersAreDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{
			"a": doing(func(context.Context) error { time.Sleep(time.Hour); return nil }),
		}, func(c *tasker.Config) { c.Retention = tasker.Retention{Tasks: 24 * time.Hour} }) // what ended is looked for every minute
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := s.submit()
		synctest.Wait()
		began := time.Now()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if task := s.task(id); task.State != tasker.TaskComplete || time.Since(began) != time.Hour {
			t.Errorf("after %v the task is %s", time.Since(began), task.State)
		}
	})
}

func TestAStopHasAnEndWhateverATaskHandlerDoesAtTheEndOfATask(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		takes  time.Duration
		within time.Duration // of the stop, whose context ends after a second
		want   string
	}{
		{"it is done before the stop's context ends", time.Second / 2, time.Second / 2, ""},
		{"it is done within the grace", 3 * time.Second, 3 * time.Second, ""},
		{"it goes on for an hour", time.Hour, 6 * time.Second, "OnFinish"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t, "task_handler: {callable: door}\nsteps: [{name: a, handler: {callable: a}}]", tasker.Handlers{
					"a": fine,
					"door": tasker.OnSubmit(func(context.Context, struct{}) (map[string]any, error) { return nil, nil }).
						OnFinish(func(context.Context, *tasker.Task) { time.Sleep(tt.takes) }),
				})
				if err := s.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.run()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := s.Stop(ctx)
				if took := time.Since(began); took != tt.within {
					t.Errorf("the stop took %v, want %v", took, tt.within)
				}
				if err == nil && tt.want != "" || err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("the stop says %v", err)
				}
				time.Sleep(tt.takes) // who was left behind is done too
			})
		})
	}
}

// mute is a store that lists nothing once it has been told so.
type mute struct {
	tasker.Store
	off   atomic.Bool
	asked atomic.Int32
}

func (d *mute) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	if d.off.Load() {
		d.asked.Add(1)
		return nil, errCut
	}
	return d.Store.Rows(ctx, f)
}

func TestAWorkerAsksTheStoreForNothingOnceItHasStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &mute{Store: memory.New()}
		var other tasker.ID
		s := open(t, oneQuestion, tasker.Handlers{"pay": fine, "ask": doing(func(ctx context.Context) error {
			store.off.Store(true) // it is about to be looked whether the other one has ended
			_, err := tasker.Await(ctx, other, 0)
			return err
		})}, func(c *tasker.Config) { c.Store, c.Tag = store, "ours" })
		other = s.submit() // nobody's
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ours := request(map[string]any{})
		ours.Tag = "ours"
		if _, err := s.Submit(t.Context(), ours); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := store.asked.Load()
		time.Sleep(time.Hour)
		if after := store.asked.Load(); before == 0 || after > before {
			t.Errorf("it has asked %d times, and %d times since it stopped", before, after-before)
		}
	})
}

func TestTaskHandlersThatDoNotReturnDoNotFillTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most, tasks = 1000, 1100
		var told atomic.Int32
		release := make(chan struct{})
		s := start(t, "task_handler: {callable: door}\nsteps: [{name: a, handler: {callable: a}}]", tasker.Handlers{
			"a": fine,
			"door": tasker.OnSubmit(func(context.Context, struct{}) (map[string]any, error) { return nil, nil }).
				OnFinish(func(context.Context, *tasker.Task) { told.Add(1); <-release }),
		})
		for range tasks {
			s.run()
		}
		synctest.Wait()
		if got := told.Load(); got != most {
			t.Errorf("%d of them are at the end of a task, want %d", got, most)
		}
		close(release)
		synctest.Wait()
		s.run()
		synctest.Wait()
		if got := told.Load(); got != most+1 {
			t.Errorf("once they have returned, the next one is told: %d, want %d", got, most+1)
		}
	})
}

// A goroutine that waits for ever fails the bubble; on PostgreSQL it would hold
// a connection, and Close would wait for that.
func TestATransactionalHandlerThatReturnsLongAfterTheStopLetsItsTransactionGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, `steps: [{name: book, handler: {callable: book}}]`, tasker.Handlers{
			"book": doing(func(context.Context) error { time.Sleep(time.Hour); return nil }).InTransaction(),
		}, func(c *tasker.Config) { c.Store = transacting{memory.New()} })
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := s.submit()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Stop(ctx); err == nil {
			t.Error("the stop does not say that a handler goes on")
		}
		time.Sleep(2 * time.Hour)
		if a := s.task(id).Steps[0]; a.State != tasker.StepPending || a.LostAttempts != 1 {
			t.Errorf("the step is %s after %d lost attempts", a.State, a.LostAttempts)
		}
	})
}
