package main

import (
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

func TestAMonitorThatPanicsOrIsStuckHarmsNobody(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{monitorPanics, monitorStuck} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			onBothStores(t, func(t *testing.T, where ...string) {
				o := reader.Report(t, november("unwatched"), append(where, "-env", "test", "-monitor", fault)...)
				published(t, o)
				m := o.Notes.Monitor
				if o.Notes.Overlap != nil || (m.Panics > 0) != (fault == monitorPanics) || (m.Lost > 0) != (fault == monitorStuck) {
					t.Errorf("a monitor of no use has told %+v and of an overlap %v", m, o.Notes.Overlap)
				}
				if strings.Contains(o.Stderr, "panic") {
					t.Errorf("standard error says:\n%s", o.Stderr)
				}
			})
		})
	}
}

// Whoever watches without a queue of his own is held off by the engine.
func TestAnObserverThatPanicsOnTheEnginesOwnLoopHarmsNobody(t *testing.T) {
	t.Parallel()
	p := thisPost
	p.Configure = func(_ *post.World, c *tasker.Config) {
		c.Observe = func(tasker.Row, tasker.Record) { panic("out of its mind") }
	}
	runner := posttest.Runner[noted]{Post: p}
	onBothStores(t, func(t *testing.T, where ...string) {
		o := runner.Report(t, november("observed"), append(where, "-env", "test")...)
		published(t, o)
		if !strings.Contains(o.Stderr, "the observer panicked") {
			t.Errorf("nobody is told:\n%s", o.Stderr)
		}
	})
}

func TestAPersonIsCalledForWhatFailsForGoodAndForNothingElse(t *testing.T) {
	t.Parallel()
	const ring = "a phone rings: extract_customer_data has failed for good, CRM_"
	for source, calls := range map[string]int{"crm=503x2": 0, "crm=503": 1, "crm=401": 1} {
		o := reader.Run(t, "", "-env", "test", "-source", source)
		if got := strings.Count(o.Stdout, ring); got != calls || strings.Count(o.Stdout, "a phone rings") != calls {
			t.Errorf("with %s a phone rings %d times, want %d:\n%s", source, got, calls, o.Stdout)
		}
	}
}

func TestMoreEventsThanTheMonitorsQueueHoldsAreLostAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	m := &Monitor{queue: make(chan news, 2)}
	for range 5 {
		m.offer(news{})
	}
	if lost, unheard := m.lost.Load(), m.unheard.Load(); lost != 3 || unheard != 2 {
		t.Errorf("%d events are lost and %d unheard, want 3 and 2", lost, unheard)
	}
}
