package memory

import (
	"context"
	"fmt"
	"maps"
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
	unread := s.events.after(c.done)
	return slices.Clone(unread[:min(limit, len(unread))]), nil
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

// Consumers implements [tasker.Store].
func (s *Store) Consumers(ctx context.Context) ([]tasker.ConsumerProgress, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []tasker.ConsumerProgress
	for _, name := range slices.Sorted(maps.Keys(s.events.consumers)) {
		c := s.events.consumers[name]
		p := tasker.ConsumerProgress{Name: name, Held: time.Now().Before(c.until)}
		if unread := s.events.after(c.done); len(unread) > 0 {
			p.Unread, p.Oldest = int64(len(unread)), unread[0].FiredAt
		}
		all = append(all, p)
	}
	return all, nil
}

// ForgetConsumer implements [tasker.Store].
func (s *Store) ForgetConsumer(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c := s.events.consumers[name]; {
	case c == nil:
		return fmt.Errorf("consumer %s: %w", name, tasker.ErrNoConsumer)
	case time.Now().Before(c.until):
		return fmt.Errorf("consumer %s: %w", name, tasker.ErrEventsHeld)
	}
	delete(s.events.consumers, name)
	return nil
}

// after gives the events behind a position.
func (e *events) after(position int64) []tasker.DomainEvent {
	return e.all[sort.Search(len(e.all), func(i int) bool { return e.all[i].Position > position }):]
}

// unread says whether a task has events that a known consumer has not read.
func (e *events) unread(task tasker.ID) bool {
	for _, c := range e.consumers {
		if slices.ContainsFunc(e.after(c.done), func(event tasker.DomainEvent) bool { return event.TaskID == task }) {
			return true
		}
	}
	return false
}

// forget drops the events of tasks whose logs were deleted.
func (e *events) forget(tasks map[tasker.ID]bool) {
	e.all = slices.DeleteFunc(e.all, func(event tasker.DomainEvent) bool { return tasks[event.TaskID] })
}
