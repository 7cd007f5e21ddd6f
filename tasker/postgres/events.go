package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Durable domain events are rows that are written with their records. Readers
// need an order that does not change, and the order of writing is none: a
// transaction that began earlier may commit later. So readers follow stamps,
// and who has read all that have one stamps what is committed, one reader at a
// time. A transaction that stays open delays nothing but its own events.

// stampAtOnce is how many events are stamped in one transaction.
const stampAtOnce = 1000

// eventColumns are the events of publish.sql, a column a parameter.
type eventColumns struct {
	tasks, ids  ids
	afters, ns  []int32
	names, json []string
}

func eventsOf(appends []tasker.Append, order []int) (c eventColumns, err error) {
	for _, i := range order {
		a := &appends[i]
		for n := range a.Events {
			raw, err := json.Marshal(&a.Events[n])
			if err != nil {
				return c, fmt.Errorf("event %s of task %s: %w", a.Events[n].Name, a.Task, err)
			}
			c.tasks.add(uuid(a.Task))
			c.ids.add(uuid(a.Record.ID))
			c.afters, c.ns = append(c.afters, int32(a.After)), append(c.ns, int32(n))
			c.names, c.json = append(c.names, a.Events[n].Name), append(c.json, string(raw))
		}
	}
	return c, nil
}

// TakeEvents implements [tasker.Store].
func (s *Store) TakeEvents(ctx context.Context, hold tasker.EventsHold, limit int) ([]tasker.DomainEvent, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	events, err := s.takeEvents(ctx, hold, limit)
	if errors.Is(err, tasker.ErrEventsHeld) {
		return nil, err
	}
	if err != nil {
		return nil, s.told("take events", err)
	}
	return events, nil
}

func (s *Store) takeEvents(ctx context.Context, hold tasker.EventsHold, limit int) (events []tasker.DomainEvent, err error) {
	var done int64
	err = s.pool.QueryRow(ctx, s.sql["hold_events"], hold.Consumer, uuid(hold.By), hold.For.Microseconds()).Scan(&done)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("consumer %s: %w", hold.Consumer, tasker.ErrEventsHeld)
	}
	if err != nil {
		return nil, err
	}
	if events, err = s.stampedEvents(ctx, done, limit); err != nil || len(events) == limit {
		return events, err
	}
	if more, err := s.stampEvents(ctx); err != nil || !more {
		return events, err
	}
	return s.stampedEvents(ctx, done, limit)
}

func (s *Store) stampedEvents(ctx context.Context, done int64, limit int) (events []tasker.DomainEvent, err error) {
	rows, err := s.pool.Query(ctx, s.sql["take_events"], done, limit)
	if err != nil {
		return nil, err
	}
	var stamp int64
	var at time.Time
	var raw []byte
	_, err = pgx.ForEachRow(rows, []any{&stamp, &at, &raw}, func() error {
		var e tasker.DomainEvent
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("the event with stamp %d: %w", stamp, err)
		}
		e.Position, e.FiredAt = stamp, at
		events = append(events, e)
		return nil
	})
	return events, err
}

// stampEvents stamps some of what is committed and has no stamp, and says
// whether there was any. It does so once: where events come without a pause,
// there is no end to it.
func (s *Store) stampEvents(ctx context.Context) (stamped bool, err error) {
	if err := s.pool.QueryRow(ctx, s.sql["unstamped"]).Scan(&stamped); err != nil || !stamped {
		return false, err
	}
	return true, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql["lock_stamps"]); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, s.sql["stamp_events"], stampAtOnce)
		return err
	})
}

// AckEvents implements [tasker.Store].
func (s *Store) AckEvents(ctx context.Context, hold tasker.EventsHold, position int64) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var done int64
	err := s.pool.QueryRow(ctx, s.sql["ack_events"], hold.Consumer, uuid(hold.By), position, hold.For.Microseconds()).Scan(&done)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("consumer %s: %w", hold.Consumer, tasker.ErrEventsHeld)
	}
	if err != nil {
		return s.told("acknowledge events", err)
	}
	return nil
}

// Consumers implements [tasker.Store].
func (s *Store) Consumers(ctx context.Context) ([]tasker.ConsumerProgress, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.pool.Query(ctx, s.sql["consumers"])
	if err != nil {
		return nil, s.told("list consumers", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p tasker.ConsumerProgress, err error) {
		var oldest *time.Time
		err = row.Scan(&p.Name, &p.Held, &p.Unread, &oldest)
		if oldest != nil {
			p.Oldest = *oldest
		}
		return p, err
	})
	if err != nil {
		return nil, s.told("list consumers", err)
	}
	return all, nil
}

// ForgetConsumer implements [tasker.Store].
func (s *Store) ForgetConsumer(ctx context.Context, name string) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var held bool
	switch err := s.pool.QueryRow(ctx, s.sql["forget_consumer"], name).Scan(&held); {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("consumer %s: %w", name, tasker.ErrNoConsumer)
	case err != nil:
		return s.told("forget a consumer", err)
	case held:
		return fmt.Errorf("consumer %s: %w", name, tasker.ErrEventsHeld)
	}
	return nil
}
