package main

import (
	"maps"
	"sync"

	"github.com/tasker-systems/tasker-go/tasker"
)

// EventStats counts what becomes of domain events, by their names.
type EventStats struct {
	mu      sync.Mutex
	counted map[string]map[tasker.EventOutcome]int
}

func newEventStats() *EventStats {
	return &EventStats{counted: map[string]map[tasker.EventOutcome]int{}}
}

// of counts what becomes of the events of a run. A journal reads those of
// others too, and passes them over.
func (s *EventStats) of(tag string) func(tasker.EventNotice) {
	return func(n tasker.EventNotice) {
		if n.Event.Tag == tag {
			s.count(n)
		}
	}
}

func (s *EventStats) count(n tasker.EventNotice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted[n.Event.Name] == nil {
		s.counted[n.Event.Name] = map[tasker.EventOutcome]int{}
	}
	s.counted[n.Event.Name][n.Outcome]++
}

// All gives the counts so far.
func (s *EventStats) All() map[string]map[tasker.EventOutcome]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]map[tasker.EventOutcome]int{}
	for name, outcomes := range s.counted {
		all[name] = maps.Clone(outcomes)
	}
	return all
}
