package tasker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// most counts how many of something there are at once.
type most struct{ now, peak atomic.Int32 }

func (m *most) enter() {
	now := m.now.Add(1)
	for peak := m.peak.Load(); now > peak && !m.peak.CompareAndSwap(peak, now); peak = m.peak.Load() {
	}
}

func (m *most) leave() { m.now.Add(-1) }

func (m *most) during(d time.Duration) tasker.Handler {
	return doing(func(ctx context.Context) error {
		m.enter()
		defer m.leave()
		time.Sleep(d)
		return nil
	})
}

func TestTwoWorkersTogetherHaveNoMoreTasksThanTheNamespaceMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound, tasks = 3, 30
		var running most
		together := func(c *tasker.Config) { c.ClusterConcurrency = map[string]int{"test": bound} }
		store := memory.New()
		on := func(c *tasker.Config) { c.Store = store }
		handlers := tasker.Handlers{"a": running.during(10 * time.Second)}
		const source = `steps: [{name: a, handler: {callable: a}}]`
		first, _ := start(t, source, handlers, on, together), start(t, source, handlers, on, together)
		var ids []tasker.ID
		for range tasks {
			ids = append(ids, first.submit())
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, id := range ids {
			if task, err := first.Wait(ctx, id); err != nil || task.State != tasker.TaskComplete {
				t.Fatalf("a task has come to %v, %v", task, err)
			}
		}
		if peak := running.peak.Load(); peak != bound {
			t.Errorf("at most %d tasks ran at once, want %d", peak, bound)
		}
		least := tasks / bound * 10 * time.Second
		if took := time.Since(began); took > 2*least {
			t.Errorf("the bound let %d tasks take %v; %v would do", tasks, took, least)
		}
	})
}

func TestARushThatIsHeldBackLeavesRoomForTheOthersAndKeepsItsOwnPace(t *testing.T) {
	t.Parallel()
	const share = 4
	for _, tt := range []struct {
		name   string
		limits string
		shares map[string]int
	}{
		{"a namespace's share", "", map[string]int{"rush": share}},
		{"a template's share", fmt.Sprintf("limits: {concurrency: %d}\n", share), nil},
		{"a template's share of a namespace's larger one", fmt.Sprintf("limits: {concurrency: %d}\n", share), map[string]int{"rush": share + 2}},
		{"a namespace's share, which its template's is larger than", fmt.Sprintf("limits: {concurrency: %d}\n", share+2), map[string]int{"rush": share}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { rush(t, share, tt.limits, tt.shares) })
		})
	}
}

// rush has tasks of one namespace wait for their few slots, and those of another
// come to theirs at once.
func rush(t *testing.T, share int, limits string, shares map[string]int) {
	const tasks = 200
	var rushing most
	rush, err := template.Parse("rush.yaml", []byte("name: t\nnamespace_name: rush\nversion: 1.0.0\n"+limits+"steps: [{name: a, handler: {callable: rush}}]"))
	if err != nil {
		t.Fatal(err)
	}
	calm := doing(func(context.Context) error { time.Sleep(time.Second); return nil })
	s := start(t, `steps: [{name: a, handler: {callable: calm}}]`, tasker.Handlers{"calm": calm, "rush": rushing.during(10 * time.Second)}, func(c *tasker.Config) {
		c.Concurrency, c.NamespaceConcurrency = 8, shares
		c.Templates = append(c.Templates, rush)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	began := time.Now()
	var ids []tasker.ID
	for range tasks {
		made, err := s.Submit(ctx, tasker.Request{Namespace: "rush", Name: "t", Context: map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, made.ID)
	}
	time.Sleep(time.Second)
	for range 5 {
		submitted := time.Now()
		id := s.submit()
		if task, err := s.Wait(ctx, id); err != nil || task.State != tasker.TaskComplete {
			t.Fatalf("a task of the other namespace has come to %v, %v", task, err)
		}
		if took := time.Since(submitted); took > 2*time.Second {
			t.Errorf("a task of a second took %v beside the rush", took)
		}
	}
	for _, id := range ids {
		if task, err := s.Wait(ctx, id); err != nil || task.State != tasker.TaskComplete {
			t.Fatalf("a task of the rush has come to %v, %v", task, err)
		}
	}
	if peak := int(rushing.peak.Load()); peak != share {
		t.Errorf("at most %d tasks of the rush ran at once, want %d", peak, share)
	}
	least := time.Duration(tasks/share) * 10 * time.Second
	if took := time.Since(began); took > least+least/20 {
		t.Errorf("the rush took %v; with its slots always full it takes %v", took, least)
	}
}

func TestATaskWithThousandsOfStepsLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	const steps = 1000
	for name, identity := range map[string]string{
		"of another namespace": "namespace_name: other\n",
		"that are more urgent": "namespace_name: test\npriority: 5\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				other, err := template.Parse("other.yaml", []byte("name: other\nversion: 1.0.0\n"+identity+"steps: [{name: a, handler: {callable: second}}]"))
				if err != nil {
					t.Fatal(err)
				}
				source := manySteps(steps, "second")
				s := start(t, source, tasker.Handlers{"second": new(most).during(time.Second)}, func(c *tasker.Config) {
					c.Concurrency, c.Templates = 8, append(c.Templates, other)
				})
				began := time.Now()
				wide := s.submit()
				for range 5 {
					time.Sleep(10 * time.Second)
					submitted := time.Now()
					made, err := s.Submit(t.Context(), tasker.Request{Namespace: other.Namespace, Name: "other", Context: map[string]any{}})
					if err != nil {
						t.Fatal(err)
					}
					if task := s.waits(made.ID); task.State != tasker.TaskComplete || time.Since(submitted) > 4*time.Second {
						t.Errorf("a task of a second is %s after %v", task.State, time.Since(submitted))
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				task, err := s.Wait(ctx, wide)
				if err != nil || task.State != tasker.TaskComplete || time.Since(began) > (steps/8+10)*time.Second {
					t.Errorf("the large one is %v after %v, %v", task.State, time.Since(began), err)
				}
			})
		})
	}
}

func TestABoundThatBoundsNothingIsRefused(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{0, -1} {
		for want, config := range map[string]tasker.Config{
			"Config.NamespaceConcurrency of money is": {NamespaceConcurrency: map[string]int{"shop": 5, "money": bound}},
			"Config.ClusterConcurrency of money is":   {ClusterConcurrency: map[string]int{"shop": 5, "money": bound}},
		} {
			config.Store = memory.New()
			if _, err := tasker.New(config); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a bound of %d gives %v", bound, err)
			}
		}
	}
}

func TestATaskThatIsParkedTakesNoPlaceOfItsNamespace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		together := func(c *tasker.Config) { c.ClusterConcurrency = map[string]int{"test": 1} }
		s := start(t, oneQuestion, tasker.Handlers{"ask": asking(tasker.Question{}), "pay": fine}, together)
		one, other := s.submit(), s.submit()
		for _, id := range []tasker.ID{one, other} {
			if task := s.waits(id); task.State != tasker.TaskWaiting {
				t.Errorf("a task is %s", task.State)
			}
		}
	})
}

func TestAWorkerDeletesWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneQuestion, tasker.Handlers{"ask": asking(tasker.Question{}), "pay": fine}, func(c *tasker.Config) {
			c.Retention = tasker.Retention{Tasks: 24 * time.Hour, Keys: 48 * time.Hour}
		})
		key := tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{}, IdempotencyKey: "order-1"}
		submitted, err := s.Submit(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		s.await(submitted.ID)
		waits := s.submit()
		s.await(waits)
		s.must(s.Answer(t.Context(), submitted.ID, "ask", tasker.Approval{Approved: true}, ops))
		s.await(submitted.ID)

		time.Sleep(23 * time.Hour)
		s.task(submitted.ID)
		time.Sleep(2 * time.Hour)
		if _, err := s.Task(t.Context(), submitted.ID); !errors.Is(err, tasker.ErrPurged) {
			t.Errorf("an hour past its term the task gets %v", err)
		}
		if again, err := s.Submit(t.Context(), key); err != nil || !again.Existing || again.ID != submitted.ID {
			t.Errorf("its key stands for %v, %v", again, err)
		}
		if task := s.task(waits); task.State != tasker.TaskWaiting {
			t.Errorf("the task that still waits is %s", task.State)
		}
		time.Sleep(24 * time.Hour)
		if again, err := s.Submit(t.Context(), key); err != nil || again.Existing {
			t.Errorf("past its term the key stands for %v, %v", again, err)
		}
	})
}

// counting counts the calls that reach a store.
type counting struct {
	tasker.Store
	asked, offered, claims, refused atomic.Int64
}

func (c *counting) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	found, err := c.Store.Candidates(ctx, q)
	c.asked.Add(1)
	c.offered.Add(int64(len(found.Logs)))
	return found, err
}

func (c *counting) Append(ctx context.Context, appends []tasker.Append) ([]tasker.Appended, error) {
	answers, err := c.Store.Append(ctx, appends)
	for i := range answers {
		if appends[i].Change == tasker.OwnRow {
			if c.claims.Add(1); !answers[i].Stored {
				c.refused.Add(1)
			}
		}
	}
	return answers, err
}

func TestAFloodUnderALimitOfTheClusterIsNotAskedForAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound, tasks = 2, 400
		var running most
		store := &counting{Store: memory.New()}
		with := func(c *tasker.Config) {
			c.Store, c.ClusterConcurrency = store, map[string]int{"test": bound}
		}
		const source = `steps: [{name: a, handler: {callable: a}}]`
		handlers := tasker.Handlers{"a": running.during(time.Second)}
		first, _ := start(t, source, handlers, with), start(t, source, handlers, with)
		began := time.Now()
		var ids []tasker.ID
		for range tasks {
			ids = append(ids, first.submit())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, id := range ids {
			if _, err := first.Wait(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(began)
		t.Logf("%d tasks took %v; the store was asked %d times and offered %d, and of %d claims it refused %d", tasks, took, store.asked.Load(), store.offered.Load(), store.claims.Load(), store.refused.Load())
		if peak := running.peak.Load(); peak != bound {
			t.Errorf("at most %d tasks ran at once, want %d", peak, bound)
		}
		if least := tasks / bound * time.Second; took > least*3/2 {
			t.Errorf("%d tasks took %v; %v would do", tasks, took, least)
		}
		if claims := store.claims.Load(); claims > 5*tasks {
			t.Errorf("the store had %d claims for %d tasks", claims, tasks)
		}
		if asked := store.asked.Load(); asked > 5*tasks {
			t.Errorf("the store was asked %d times for %d tasks", asked, tasks)
		}
	})
}

// Tasks are short against the poll and the store takes its time, so a place
// that is free and that nobody asks for is seen.
func TestPlacesUnderALimitOfTheClusterAreTakenAsSoonAsTheyAreFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound, tasks, works, stores = 4, 200, 100 * time.Millisecond, 10 * time.Millisecond
		store := &between{Store: memory.New(), append: func(_ []tasker.Append, pass pass) ([]tasker.Appended, error) {
			time.Sleep(stores)
			return pass()
		}}
		with := func(c *tasker.Config) {
			c.Store, c.ClusterConcurrency = store, map[string]int{"test": bound}
		}
		var running most
		var n atomic.Int64
		handlers := tasker.Handlers{"a": doing(func(context.Context) error {
			running.enter()
			defer running.leave()
			time.Sleep(works/2 + time.Duration(n.Add(37)%100)*works/100) // 50 to 150 ms
			return nil
		})}
		const source = `steps: [{name: a, handler: {callable: a}}]`
		client := open(t, source, handlers, with)
		var ids []tasker.ID
		for range tasks {
			ids = append(ids, client.submit())
		}
		began := time.Now()
		start(t, source, handlers, with)
		start(t, source, handlers, with)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, id := range ids {
			if _, err := client.Wait(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		took, least := time.Since(began), tasks/bound*(works+2*stores)
		if peak := running.peak.Load(); peak != bound {
			t.Errorf("at most %d tasks ran at once, want %d", peak, bound)
		}
		if took > least*5/4 {
			t.Errorf("%d tasks took %v; %v would do", tasks, took, least)
		}
	})
}

func TestAWorkerWhoseClaimWasRefusedTakesThePlaceThatItsOwnTaskGivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tasks, works = 20, 100 * time.Millisecond
		store := memory.New()
		with := func(tag string, works time.Duration) shop {
			return start(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{"a": new(most).during(works)}, func(c *tasker.Config) {
				c.Store, c.Tag, c.ClusterConcurrency = store, tag, map[string]int{"test": 2}
			})
		}
		submit := func(s shop, tag string) tasker.ID {
			made, err := s.Submit(t.Context(), tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{}, Tag: tag})
			if err != nil {
				t.Fatal(err)
			}
			return made.ID
		}
		other, own := with("other", 50*time.Second), with("own", works)
		submit(other, "other") // has one of the two places all the time
		synctest.Wait()
		var ids []tasker.ID
		for range tasks {
			ids = append(ids, submit(own, "own"))
		}
		began := time.Now()
		for _, id := range ids { // which of them comes last is not said
			own.waits(id)
		}
		if took := time.Since(began); took > 2*tasks*works {
			t.Errorf("%d tasks took %v one after the other; %v would do", tasks, took, tasks*works)
		}
	})
}
