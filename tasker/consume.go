package tasker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Consumer takes durable domain events, each at least once, in the order in
// which the store has them; those of one task come as they were recorded. Its
// name stands for how far it has come: whoever consumes under that name, in
// whatever process, goes on from there. One does so at a time, and another
// takes over when it ends, or a lease after its process has died.
//
// A name that is new begins with the oldest event that is kept. One that
// nobody uses any more still has events to read, and [Retention] keeps their
// tasks for it until [Engine.ForgetConsumer], or taskerctl consumers forget.
type Consumer struct {
	Name    string // of letters, digits, and . _ -
	Pattern string // which events, see [EventPattern]; the others are passed over

	// Handle is called for one event at a time. Its context ends after half of
	// the engine's lease. When it fails or panics it is called again after a
	// while, for ever: what follows waits. An event may come again after a
	// crash; its ID tells.
	Handle func(ctx context.Context, e DomainEvent) error
}

// takeAtOnce is how many events are read in one go.
const takeAtOnce = 100

// The waits between the calls of a handler that fails.
const (
	firstAgain   = 100 * time.Millisecond
	longestAgain = 30 * time.Second
)

// Consume works for a consumer until ctx ends, and returns why it did. It
// needs no [Engine.Start]. Errors of the store are waited out.
func (e *Engine) Consume(ctx context.Context, c Consumer) error {
	matches, err := EventPattern(c.Pattern)
	switch {
	case err != nil:
		return fmt.Errorf("consume as %s: %w", c.Name, err)
	case !validConsumer(c.Name):
		return fmt.Errorf("consume: %q is no name for a consumer; it is of letters, digits and . _ -, at most %d of them", c.Name, MaxKey)
	case c.Handle == nil:
		return fmt.Errorf("consume as %s: Handle is missing", c.Name)
	}
	k := &consuming{Consumer: c, engine: e, matches: matches, hold: EventsHold{c.Name, e.newID(), e.config.Lease}}
	news := make(chan struct{}, 1)
	stop := e.store.Listen(func(h Hint) {
		if h.Kind == HintEvents {
			select {
			case news <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	defer k.letGo()
	for {
		more, err := k.batch(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !errors.Is(err, ErrEventsHeld):
			e.log.Warn("tasker: the store gave a consumer no events; it is asked again", "consumer", c.Name, "error", err)
		case more:
			continue
		}
		select {
		case <-news:
		case <-time.After(e.config.Poll):
		case <-ctx.Done():
		}
	}
}

// Consumers lists those who have ever consumed on this store, by name, and how
// far each has come: also those who do not read any more, for whom tasks stay
// that retention would delete.
func (e *Engine) Consumers(ctx context.Context) ([]ConsumerProgress, error) {
	return e.store.Consumers(ctx)
}

// ForgetConsumer gives a consumer up: nothing is kept for it any more, and
// whoever consumes under its name begins with the oldest event that there is.
// [ErrNoConsumer] when there is none of that name, [ErrEventsHeld] while
// somebody reads for it.
func (e *Engine) ForgetConsumer(ctx context.Context, name string) error {
	return e.store.ForgetConsumer(ctx, name)
}

func validConsumer(name string) bool {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		default:
			return false
		}
	}
	return name != "" && len(name) <= MaxKey
}

// consuming is a consumer at work.
type consuming struct {
	Consumer
	engine  *Engine
	matches func(string) bool
	hold    EventsHold
	heldAt  time.Time // when the hold was last renewed
}

// batch takes events and handles them, and says whether there may be more. It
// acknowledges what is done, also when it cannot go on.
func (k *consuming) batch(ctx context.Context) (more bool, err error) {
	k.heldAt = time.Now()
	var events []DomainEvent
	call, cancel := context.WithTimeout(ctx, k.engine.config.Lease)
	events, err = k.engine.store.TakeEvents(call, k.hold, takeAtOnce)
	cancel()
	if err != nil || len(events) == 0 {
		return false, err
	}
	var done int64 // up to here everything is handled
	for i := range events {
		if err = k.handle(ctx, &events[i], done); err != nil {
			break
		}
		done = events[i].Position
	}
	if done > 0 {
		err = errors.Join(err, k.acknowledge(context.WithoutCancel(ctx), done))
	}
	return err == nil && len(events) == takeAtOnce, err
}

// handle calls the handler until it succeeds. It keeps the hold meanwhile.
func (k *consuming) handle(ctx context.Context, event *DomainEvent, done int64) error {
	if !k.matches(event.Name) {
		return nil
	}
	for again := firstAgain; ; again = min(2*again, longestAgain, k.engine.config.Lease/4) {
		if time.Since(k.heldAt) >= k.engine.config.Lease/4 {
			if err := k.acknowledge(ctx, done); err != nil {
				return err
			}
		}
		call, cancel := context.WithTimeout(ctx, k.engine.config.Lease/2)
		err := k.engine.deliver(call, k.Name, Durable, event, k.Handle)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// acknowledge notes how far the consumer has come, 0 for no further, and
// renews its hold.
func (k *consuming) acknowledge(ctx context.Context, done int64) error {
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, k.engine.config.Lease/2)
	defer cancel()
	if err := k.engine.store.AckEvents(ctx, k.hold, done); err != nil {
		return err
	}
	k.heldAt = now
	return nil
}

// letGo ends the hold, so that whoever goes on need not wait until it is over.
func (k *consuming) letGo() {
	ctx, cancel := context.WithTimeout(context.Background(), k.engine.config.Grace)
	defer cancel()
	k.hold.For = 0
	_ = k.acknowledge(ctx, 0) // else it runs out by itself
}
