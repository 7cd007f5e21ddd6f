package tasker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Subscription asks for domain events of delivery mode fast or broadcast that
// this engine records. It is for work that may be lost: what must not be lost
// is a step, or is done by a [Consumer].
type Subscription struct {
	Name    string        // for logs and notices
	Pattern string        // which events, see [EventPattern]
	Buffer  int           // events that may wait; beyond that they are dropped and counted. Defaults to 1000
	Timeout time.Duration // of one call; its context ends then. Defaults to 5 s

	// Handle is called for one event at a time, in the order in which they were
	// recorded. What it returns, or panics with, is logged, and harms nobody.
	Handle func(ctx context.Context, e DomainEvent) error
}

// The defaults of a [Subscription].
const (
	defaultBuffer       = 1000
	defaultEventTimeout = 5 * time.Second
)

// Subscribe begins a subscription. It ends with stop, or with the engine's
// [Engine.Stop], which gives it the engine's grace to take what waits.
func (e *Engine) Subscribe(s Subscription) (stop func(), err error) {
	matches, err := EventPattern(s.Pattern)
	switch {
	case err != nil:
		return nil, fmt.Errorf("subscribe %s: %w", s.Name, err)
	case s.Handle == nil:
		return nil, fmt.Errorf("subscribe %s: Handle is missing", s.Name)
	case s.Buffer < 0 || s.Timeout < 0:
		return nil, fmt.Errorf("subscribe %s: Buffer and Timeout must not be negative", s.Name)
	}
	if s.Buffer == 0 {
		s.Buffer = defaultBuffer
	}
	if s.Timeout == 0 {
		s.Timeout = defaultEventTimeout
	}
	sub := &subscriber{Subscription: s, engine: e, matches: matches, waiting: make(chan heard, s.Buffer), done: make(chan struct{})}
	if err := e.subscribers.add(sub); err != nil {
		return nil, fmt.Errorf("subscribe %s: %w", s.Name, err)
	}
	go sub.listen()
	return func() { e.subscribers.drop(sub) }, nil
}

// subscriber is a subscription at work.
type subscriber struct {
	Subscription
	engine  *Engine
	matches func(name string) bool
	waiting chan heard
	done    chan struct{} // it has ended
	dropped atomic.Int64
}

type heard struct {
	event DomainEvent
	mode  Delivery
}

func (s *subscriber) listen() {
	defer close(s.done)
	for h := range s.waiting {
		ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
		s.engine.deliver(ctx, s.Name, h.mode, &h.event, s.Handle)
		cancel()
	}
}

// deliver calls somebody's code with an event.
func (e *Engine) deliver(ctx context.Context, to string, mode Delivery, event *DomainEvent, handle func(context.Context, DomainEvent) error) error {
	began := time.Now()
	_, err := protect(func() (any, error) { return nil, handle(ctx, *event) })
	n := EventNotice{Event: event, Mode: mode, Outcome: EventDelivered, To: to, Took: time.Since(began), Err: err}
	if err != nil {
		n.Outcome = EventFailed
		e.log.Warn("tasker: whoever wanted a domain event failed with it", "to", to, "event", event.Name, "id", event.ID, "task", event.TaskID, "error", err)
	}
	e.toldOf(n)
	return err
}

// subscribers are all that hear of events in this process.
type subscribers struct {
	mu  sync.Mutex
	all []*subscriber
	off bool // the engine was stopped

	dropped atomic.Int64
}

var errStopped = errors.New("the engine was stopped")

func (ss *subscribers) add(s *subscriber) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.off {
		return errStopped
	}
	ss.all = append(ss.all, s)
	return nil
}

// drop ends a subscription. What waits for it is still delivered.
func (ss *subscribers) drop(s *subscriber) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if i := slices.Index(ss.all, s); i >= 0 {
		ss.all = slices.Delete(ss.all, i, i+1)
		close(s.waiting)
	}
}

// hear gives an event to those who want it. It does not wait for anybody. Whoever
// is told of a drop may end the subscription.
func (ss *subscribers) hear(event *DomainEvent, mode Delivery) {
	for _, s := range ss.offer(event, mode) {
		ss.dropped.Add(1)
		if s.dropped.Add(1) == 1 {
			s.engine.log.Warn("tasker: a subscriber is too slow, and events are dropped from now on", "to", s.Name, "buffer", s.Buffer)
		}
		s.engine.toldOf(EventNotice{Event: event, Mode: mode, Outcome: EventDropped, To: s.Name})
	}
}

// offer puts an event into the buffers of those who want it, and gives those
// that had no room.
func (ss *subscribers) offer(event *DomainEvent, mode Delivery) (full []*subscriber) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, s := range ss.all {
		if !s.matches(event.Name) {
			continue
		}
		select {
		case s.waiting <- heard{*event, mode}:
		default:
			full = append(full, s)
		}
	}
	return full
}

// stop ends all subscriptions, and waits for what they still have to take, at
// most for the grace.
func (ss *subscribers) stop(grace time.Duration) {
	ss.mu.Lock()
	all := ss.all
	ss.all, ss.off = nil, true
	ss.mu.Unlock()
	for _, s := range all {
		close(s.waiting)
	}
	over := time.NewTimer(grace)
	defer over.Stop()
	for _, s := range all {
		select {
		case <-s.done:
		case <-over.C:
			s.engine.log.Warn("tasker: a subscriber does not come to an end, and is left behind", "to", s.Name, "waiting", len(s.waiting))
			return
		}
	}
}

// EventPattern tells which names a pattern matches: an exact name, or one
// with * in place of some parts between dots, each standing for one part. *
// alone matches every name.
func EventPattern(pattern string) (matches func(name string) bool, err error) {
	if pattern == "*" {
		return func(string) bool { return true }, nil
	}
	parts := strings.Split(pattern, ".")
	for _, part := range parts {
		if part == "" || part != "*" && strings.Contains(part, "*") {
			return nil, fmt.Errorf("%q is no pattern for events; it looks like payment.declined, payment.* or *", pattern)
		}
	}
	return func(name string) bool {
		named := strings.Split(name, ".")
		return slices.EqualFunc(parts, named, func(part, name string) bool { return part == "*" || part == name })
	}, nil
}
