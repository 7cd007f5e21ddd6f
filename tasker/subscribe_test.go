package tasker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

func TestASubscriberThatBlocksFailsOrPanicsHarmsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tasks, buffer = 20, 3
		var all heard
		var mu sync.Mutex
		outcomes := map[string]int{}
		s := start(t, fmt.Sprintf(everyCondition, "fast"), tasker.Handlers{"pay": fine}, func(c *tasker.Config) {
			c.ObserveEvents = func(n tasker.EventNotice) {
				mu.Lock()
				defer mu.Unlock()
				outcomes[n.To+" "+string(n.Outcome)]++
			}
		})
		release := make(chan struct{})
		s.subscribes(tasker.Subscription{Name: "blocks", Pattern: "on.any", Buffer: buffer, Handle: func(context.Context, tasker.DomainEvent) error { <-release; return nil }})
		s.subscribes(tasker.Subscription{Name: "fails", Pattern: "on.any", Handle: func(context.Context, tasker.DomainEvent) error { return errors.New("no") }})
		s.subscribes(tasker.Subscription{Name: "panics", Pattern: "on.any", Handle: func(context.Context, tasker.DomainEvent) error { panic("no") }})
		s.subscribes(tasker.Subscription{Name: "exits", Pattern: "on.any", Handle: func(context.Context, tasker.DomainEvent) error { runtime.Goexit(); return nil }})
		s.subscribes(tasker.Subscription{Name: "well", Pattern: "on.any", Handle: all.take})
		for range tasks {
			if task := s.run(); task.State != tasker.TaskComplete {
				t.Fatalf("a task is %s", task.State)
			}
			synctest.Wait()
		}
		mu.Lock()
		want := map[string]int{" published": 2 * tasks, "blocks dropped": tasks - buffer - 1, "fails failed": tasks, "panics failed": tasks, "exits failed": tasks, "well delivered": tasks}
		if diff := cmp.Diff(want, outcomes); diff != "" {
			t.Errorf("what became of the events (-want +got):\n%s", diff)
		}
		mu.Unlock()
		if got := s.Stats().Dropped; got != tasks-buffer-1 {
			t.Errorf("the engine counts %d dropped events", got)
		}
		close(release)
		synctest.Wait()
		if got := outcomes["blocks delivered"]; got != buffer+1 {
			t.Errorf("once it goes on, the slow one has %d events", got)
		}
	})
}

// What observes is called by the loop, which would wait for itself.
func TestWhatObservesMayLookAtTheEngineAndEndSubscriptions(t *testing.T) {
	t.Parallel()
	var s shop
	stop, ended := func() {}, false
	release := make(chan struct{})
	defer close(release)
	s = open(t, fmt.Sprintf(everyCondition, "fast"), tasker.Handlers{"pay": fine}, func(c *tasker.Config) {
		c.Observe = func(tasker.Row, tasker.Record) { s.Stats() }
		c.ObserveEvents = func(n tasker.EventNotice) {
			if n.Outcome == tasker.EventDropped && !ended {
				ended = true
				stop()
			}
		}
	})
	stop, err := s.Subscribe(tasker.Subscription{Name: "blocks", Pattern: "on.any", Buffer: 1, Handle: func(context.Context, tasker.DomainEvent) error { <-release; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if task := s.waits(s.submit()); task.State != tasker.TaskComplete {
			t.Fatalf("a task is %s", task.State)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil || !ended {
		t.Errorf("the stop gives %v; the slow subscription was ended: %t", err, ended)
	}
}

func TestStopGivesSubscribersTheGraceAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := start(t, fmt.Sprintf(everyCondition, "fast"), tasker.Handlers{"pay": fine}, func(c *tasker.Config) { c.Grace = 3 * time.Second })
		s.subscribes(tasker.Subscription{Name: "blocks", Handle: func(context.Context, tasker.DomainEvent) error { <-release; return nil }})
		s.run()
		began := time.Now()
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if _, err := s.Subscribe(tasker.Subscription{Pattern: "*", Handle: new(heard).take}); err == nil {
			t.Error("a stopped engine takes subscriptions")
		}
	})
}

func TestAConsumerThatFailsIsAskedAgainAndNothingPassesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all heard
		calls := 0
		s := start(t, fmt.Sprintf(everyCondition, "durable"), tasker.Handlers{"pay": fine})
		first, second := s.submit(), s.submit()
		s.await(first)
		s.await(second)
		s.consumes(tasker.Consumer{Name: "books", Pattern: "on.success", Handle: func(ctx context.Context, e tasker.DomainEvent) error {
			switch calls++; calls {
			case 1:
				return errors.New("the books are closed")
			case 2:
				panic("the books burn")
			case 3:
				<-ctx.Done() // it hangs
				return ctx.Err()
			case 4:
				runtime.Goexit() // as t.FailNow does
			}
			return all.take(ctx, e)
		}})
		passes(time.Minute)
		if len(all.events) != 2 || calls != 6 || all.events[0].Position > all.events[1].Position {
			t.Errorf("after %d calls it has %+v", calls, all.events)
		}
	})
}

func TestAConsumerGoesOnWhereItStoppedInWhateverProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		on := func(c *tasker.Config) { c.Store = store }
		var first, second heard
		s := start(t, fmt.Sprintf(everyCondition, "durable"), tasker.Handlers{"pay": fine}, on)
		other := open(t, fmt.Sprintf(everyCondition, "durable"), tasker.Handlers{"pay": fine}, on)
		stop := s.consumes(tasker.Consumer{Name: "books", Pattern: "on.success", Handle: first.take})
		s.run()
		passes(2 * time.Second)
		other.consumes(tasker.Consumer{Name: "books", Pattern: "on.success", Handle: second.take})
		s.run()
		passes(2 * time.Second)
		if len(first.names()) != 2 || len(second.names()) != 0 {
			t.Errorf("of two who consume under one name, one has %v and the other %v", first.names(), second.names())
		}
		stop()
		s.run()
		passes(2 * time.Second) // no lease to be waited for
		if len(first.names()) != 2 || len(second.names()) != 1 {
			t.Errorf("after the first has stopped, it has %v and the other %v", first.names(), second.names())
		}
	})
}

func TestAPatternStandsForNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, matches, others string
	}{
		{"payment.declined", "payment.declined", "payment.made payment payment.declined.twice"},
		{"payment.*", "payment.declined payment.made", "payment payment.card.declined order.made"},
		{"*.made", "payment.made order.made", "made payment.card.made"},
		{"*.*", "payment.made", "payment.card.made"},
		{"*", "payment.made payment.card.made", ""},
	} {
		matches, err := tasker.EventPattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields(tt.matches) {
			if !matches(name) {
				t.Errorf("%s does not match %s", tt.pattern, name)
			}
		}
		for _, name := range strings.Fields(tt.others) {
			if matches(name) {
				t.Errorf("%s matches %s", tt.pattern, name)
			}
		}
	}
	for _, wrong := range []string{"", ".", "payment.", ".made", "pay*.made", "payment.**", "**"} {
		if _, err := tasker.EventPattern(wrong); err == nil {
			t.Errorf("%q is taken for a pattern", wrong)
		}
	}
}

func TestASubscriptionOrConsumerThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, fmt.Sprintf(everyCondition, "fast"), tasker.Handlers{"pay": fine})
	handle := new(heard).take
	for _, sub := range []tasker.Subscription{{Handle: handle}, {Pattern: "*"}, {Pattern: "*", Handle: handle, Buffer: -1}, {Pattern: "*", Handle: handle, Timeout: -1}} {
		if _, err := s.Subscribe(sub); err == nil {
			t.Errorf("it is taken: %+v", sub)
		}
	}
	for _, c := range []tasker.Consumer{{Name: "a", Handle: handle}, {Pattern: "*", Handle: handle}, {Name: "a b", Pattern: "*", Handle: handle}, {Name: "a", Pattern: "*"}} {
		if err := s.Consume(t.Context(), c); err == nil {
			t.Errorf("it is taken: %+v", c)
		}
	}
}
