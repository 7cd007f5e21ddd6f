package memory

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// events are the durable domain events, in the order of their positions.
type events struct {
	all       []tasker.DomainEvent
	last      int64 // position
	consumers map[string]*consumer
}

// consumer is how far somebody has read, and who does so now.
type consumer struct {
	done  int64
	by    tasker.ID
	until time.Time
}

// publish keeps the events of a record that was stored.
func (e *events) publish(fired []tasker.DomainEvent, now time.Time) {
	for _, event := range fired {
		e.last++
		event.Position, event.FiredAt = e.last, now
		e.all = append(e.all, event)
	}
}

// TakeEvents implements [tasker.Store].
func (s *Store) TakeEvents(ctx context.Context, hold tasker.EventsHold, limit int) ([]tasker.DomainEvent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	c := s.events.consumers[hold.Consumer]
	if c == nil {
		c = &consumer{}
		s.events.consumers[hold.Consumer] = c
	}
	if c.by != hold.By && now.Before(c.until) {
		return nil, fmt.Errorf("consumer %s: %w", hold.Consumer, tasker.ErrEventsHeld)
	}
	c.by, c.until = hold.By, now.Add(hold.For)
	all := s.events.all
	from := sort.Search(len(all), func(i int) bool { return all[i].Position > c.done })
	return slices.Clone(all[from:min(from+limit, len(all))]), nil
}

// AckEvents implements [tasker.Store].
func (s *Store) AckEvents(ctx context.Context, hold tasker.EventsHold, position int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.events.consumers[hold.Consumer]
	if c == nil || c.by != hold.By {
		return fmt.Errorf("consumer %s: %w", hold.Consumer, tasker.ErrEventsHeld)
	}
	c.done, c.until = max(c.done, position), time.Now().Add(hold.For)
	return nil
}

// unread says whether a task has events that a known consumer has not read.
func (e *events) unread(task tasker.ID) bool {
	for _, c := range e.consumers {
		for i := len(e.all) - 1; i >= 0 && e.all[i].Position > c.done; i-- {
			if e.all[i].TaskID == task {
				return true
			}
		}
	}
	return false
}

// forget drops the events of tasks whose logs were deleted.
func (e *events) forget(tasks map[tasker.ID]bool) {
	e.all = slices.DeleteFunc(e.all, func(event tasker.DomainEvent) bool { return tasks[event.TaskID] })
}
