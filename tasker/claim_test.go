package tasker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func TestAWorkerWithVeryManySlotsFillsThemFromTheStore(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{4096, 5000} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			handlers := tasker.Handlers{"a": doing(func(context.Context) error { time.Sleep(time.Second); return nil })}
			const source = `steps: [{name: a, handler: {callable: a}}]`
			client := open(t, source, handlers, func(c *tasker.Config) { c.Store = store })
			first := client.submit()
			start(t, source, handlers, func(c *tasker.Config) { c.Store, c.Concurrency = store, slots })
			synctest.Wait()
			second := client.submit()
			began := time.Now()
			for _, id := range []tasker.ID{first, second} {
				if task := client.waits(id); task.State != tasker.TaskComplete {
					t.Errorf("with %d slots a task is %s", slots, task.State)
				}
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("with %d slots two tasks of a second take %v", slots, took)
			}
		})
	}
}

// A store still offers the tasks whose claim is under way, and the others only
// behind these.
func TestABacklogIsWorkedOffWithoutWaitingForAPoll(t *testing.T) {
	t.Parallel()
	for _, slowly := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		for _, works := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 20 * time.Millisecond} {
			t.Run(fmt.Sprintf("a store that takes %v and steps of %v", slowly, works), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { worksOff(t, slowly, works) })
			})
		}
	}
}

func worksOff(t *testing.T, slowly, works time.Duration) {
	const backlog, steps, slots = 1000, 5, 64
	store := &between{Store: memory.New(), append: func(_ []tasker.Append, pass pass) ([]tasker.Appended, error) {
		time.Sleep(slowly)
		return pass()
	}}
	handlers := tasker.Handlers{"a": doing(func(context.Context) error { time.Sleep(works); return nil })}
	source := "steps:\n  - {name: s0, handler: {callable: a}}\n"
	for i := 1; i < steps; i++ {
		source += fmt.Sprintf("  - {name: s%d, handler: {callable: a}, dependencies: [s%d]}\n", i, i-1)
	}
	client := open(t, source, handlers, func(c *tasker.Config) { c.Store = store })
	requests := make([]tasker.Request, backlog)
	for i := range requests {
		requests[i] = request(map[string]any{"n": i})
	}
	made, err := client.SubmitAll(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	start(t, source, handlers, func(c *tasker.Config) { c.Store, c.Concurrency, c.Poll = store, slots, time.Hour })
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	for _, m := range made {
		if _, err := client.Wait(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	if took, least := time.Since(began), backlog*steps/slots*(works+slowly); took > 4*least+time.Second {
		t.Errorf("%d tasks took %v; %v would do", backlog, took, least)
	}
}

// Each urgent task that is done makes another one, so there are always more of
// them than a worker may hold.
func TestWhatIsLessUrgentIsNotLeftInTheStoreForEver(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{1, 4, 16} {
		t.Run(fmt.Sprintf("with %d slots", slots), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				urgent, err := template.Parse("urgent.yaml", []byte("name: urgent\nnamespace_name: test\nversion: 1.0.0\npriority: 10\nsteps: [{name: a, handler: {callable: urgent}}]"))
				if err != nil {
					t.Fatal(err)
				}
				var s shop
				var over atomic.Bool
				another := func() error {
					if over.Load() {
						return nil
					}
					_, err := s.Submit(t.Context(), tasker.Request{Namespace: "test", Name: "urgent", Context: map[string]any{}})
					return err
				}
				s = start(t, `steps: [{name: a, handler: {callable: fine}}]`, tasker.Handlers{
					"fine":   fine,
					"urgent": doing(func(context.Context) error { time.Sleep(time.Second); return another() }),
				}, func(c *tasker.Config) { c.Concurrency, c.Templates = slots, append(c.Templates, urgent) })
				for range 10 * slots {
					if err := another(); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				if task, err := s.Wait(ctx, s.submit()); err != nil || task.State != tasker.TaskComplete {
					t.Errorf("the task has come to %v, %v", task, err)
				}
				over.Store(true)
			})
		})
	}
}

// A task that began elsewhere has an initialization of a type that the handler
// which counts does not take.
const shelved = `
steps: [{name: a, handler: {callable: a, initialization: {shelf: 5}}}]
environments: {elsewhere: {steps: [{name: a, handler: {initialization: {shelf: five}}}]}}`

var (
	counts = tasker.Handlers{"a": tasker.Step(func(_ context.Context, in struct {
		Shelf int `initialization:"shelf"`
	}) (int, error) {
		return in.Shelf, nil
	})}
	spells = tasker.Handlers{"a": tasker.Step(func(_ context.Context, in struct {
		Shelf string `initialization:"shelf"`
	}) (string, error) {
		return in.Shelf, nil
	})}
)

func TestTasksThatAWorkerCannotTakeStandInNobodysWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		elsewhere := func(c *tasker.Config) { c.Store, c.Environment = store, "elsewhere" }
		client := open(t, shelved, spells, elsewhere)
		var unfit []tasker.ID
		for range 100 {
			unfit = append(unfit, client.submit())
		}
		here := func(c *tasker.Config) { c.Store, c.Concurrency = store, 4 }
		fit := open(t, shelved, counts, here).submit()
		if task := start(t, shelved, counts, here).waits(fit); task.State != tasker.TaskComplete {
			t.Errorf("the task that the worker can take is %s", task.State)
		}
		start(t, shelved, spells, elsewhere)
		for _, id := range unfit {
			if task := client.waits(id); task.State != tasker.TaskComplete {
				t.Errorf("where its handler is, a task is %s", task.State)
			}
		}
	})
}

// heavy is a store that cannot give or delete more than so many tasks in its
// time.
type heavy struct {
	tasker.Store
	most int
}

func (h heavy) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	if q.Limit > h.most {
		return tasker.Candidates{}, context.DeadlineExceeded
	}
	return h.Store.Candidates(ctx, q)
}

func (h heavy) Purge(ctx context.Context, terms tasker.Retention, limit int) (int, error) {
	if limit > h.most {
		return 0, context.DeadlineExceeded
	}
	return h.Store.Purge(ctx, terms, limit)
}

func TestTasksThatAreTooMuchForTheStoreAtOnceAreClaimedAndDeletedByAndBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		var ids []tasker.ID
		client := open(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{"a": fine}, func(c *tasker.Config) { c.Store = store })
		for range 200 {
			ids = append(ids, client.submit())
		}
		s := start(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{"a": fine}, func(c *tasker.Config) {
			c.Store, c.Retention = heavy{store, 3}, tasker.Retention{Tasks: time.Hour}
		})
		time.Sleep(30 * time.Minute)
		for _, id := range ids {
			if task := s.task(id); task.State != tasker.TaskComplete {
				t.Errorf("a task is %s", task.State)
			}
		}
		time.Sleep(6 * time.Hour)
		if left, err := client.Rows(t.Context(), tasker.Filter{}); err != nil || len(left) > 0 {
			t.Errorf("long after its term %d tasks are left, %v", len(left), err)
		}
	})
}

func TestTasksThatAWorkerCannotTakeDoNotMakeItAskForMoreThanTheStoreCanGive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		client := open(t, shelved, spells, func(c *tasker.Config) { c.Store, c.Environment = store, "elsewhere" })
		for range 20 {
			client.submit()
		}
		var fit []tasker.ID
		client = open(t, shelved, counts, func(c *tasker.Config) { c.Store = store })
		for range 50 {
			fit = append(fit, client.submit())
		}
		s := start(t, shelved, counts, func(c *tasker.Config) { c.Store = heavy{store, 30} })
		for _, id := range fit {
			if task := s.waits(id); task.State != tasker.TaskComplete {
				t.Errorf("a task that the worker can take is %s", task.State)
			}
		}
	})
}
