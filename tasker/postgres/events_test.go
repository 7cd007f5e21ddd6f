package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Eight writers publish 10,000 events in transactions whose commits are
// delayed by chance, so that they commit in another order than they wrote.
// Meanwhile a foreign transaction stays open, and those who read for one
// consumer die again and again before they acknowledge.
func TestOfManyEventsNoneIsLostAndThoseOfATaskKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const writers, records, each = 8, 125, 10
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := open(t)
	s.exec(t, `
create function {schema}.delay() returns trigger language plpgsql as $$
begin
    if random() < 0.3 then perform pg_sleep(random() * 0.01); end if;
    return null;
end $$`)
	s.exec(t, "create constraint trigger delay after insert on {schema}.events deferrable initially deferred for each row when (new.n = 0) execute function {schema}.delay()")
	foreign := openForeign(t, s)

	tasks := make([]tasker.ID, writers)
	for i := range tasks {
		tasks[i] = waitingTask(t, s).ID
	}
	var all sync.WaitGroup
	for _, task := range tasks {
		all.Go(func() { writeEvents(t, s, task, records, each) })
	}
	began := time.Now()
	read := readEvents(t, s, rand.New(rand.NewPCG(seed, 0)), writers*records*each)
	all.Wait()
	t.Logf("%d events were read %d times within %v, by %d readers one after another", writers*records*each, read.deliveries, time.Since(began).Round(time.Millisecond), read.readers)
	if read.deliveries == writers*records*each || read.readers < 10 {
		t.Errorf("nothing was delivered twice, or the reader hardly changed: the test tests nothing")
	}
	for _, task := range tasks {
		if got := read.next[task]; got != records*each {
			t.Errorf("of task %s there are %d events, want %d", task, got, records*each)
		}
	}
	if err := foreign.Rollback(context.Background()); err != nil {
		t.Errorf("the foreign transaction was to be open all the time: %v", err)
	}
}

// openForeign is a transaction of somebody else, with an id of its own and
// with a lock.
func openForeign(t *testing.T, s *pgStore) pgx.Tx {
	t.Helper()
	s.exec(t, "create table {schema}.foreign_table (n int)")
	c, err := pgx.Connect(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), s.in("insert into {schema}.foreign_table select txid_current() % 10")); err != nil {
		t.Fatal(err)
	}
	return tx
}

// writeEvents stores records with events that count up.
func writeEvents(t *testing.T, s *pgStore, task tasker.ID, records, each int) {
	for r := range records {
		a := tasker.Append{Task: task, After: int64(r + 1), WakeIn: -1, Record: tasker.Record{
			ID: anID(), Events: []tasker.Event{{Kind: tasker.Started, Step: "a", Attempt: r + 1}},
		}}
		for n := range each {
			a.Events = append(a.Events, tasker.DomainEvent{ID: anID(), Name: "order.moved", TaskID: task, Attempt: r*each + n, Payload: []byte(`{}`)})
		}
		answers, err := s.Append(t.Context(), []tasker.Append{a})
		if err != nil || !answers[0].Stored {
			t.Errorf("record %d of task %s: %v, %v", r, task, answers, err)
			return
		}
	}
}

type reading struct {
	next                map[tasker.ID]int // the event that is due of each task
	deliveries, readers int
}

// readEvents reads until it has seen so many events, as readers that die by
// chance with a batch that they have not acknowledged.
func readEvents(t *testing.T, s *pgStore, chance *rand.Rand, want int) *reading {
	read := &reading{next: map[tasker.ID]int{}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for seen := 0; seen < want; {
		hold := tasker.EventsHold{Consumer: "books", By: anID(), For: 20 * time.Millisecond}
		read.readers++
		for alive := true; alive && seen < want; alive = chance.IntN(20) > 0 {
			events, err := s.TakeEvents(ctx, hold, 1+chance.IntN(200))
			if errors.Is(err, tasker.ErrEventsHeld) {
				continue
			}
			if err != nil {
				t.Fatalf("after %d events: %v", seen, err)
			}
			for i := range events {
				fresh, err := read.take(&events[i])
				if err != nil {
					t.Fatal(err)
				}
				if fresh {
					seen++
				}
			}
			if len(events) > 0 && chance.IntN(4) > 0 {
				err := s.AckEvents(ctx, hold, events[len(events)-1].Position)
				if err != nil && !errors.Is(err, tasker.ErrEventsHeld) {
					t.Fatal(err)
				}
			}
		}
	}
	return read
}

// take holds an event to the order of its task: it is the one that is due, or
// it was there before.
func (r *reading) take(e *tasker.DomainEvent) (fresh bool, err error) {
	r.deliveries++
	switch due := r.next[e.TaskID]; {
	case e.Attempt == due:
		r.next[e.TaskID]++
		return true, nil
	case e.Attempt > due:
		return false, fmt.Errorf("event %d of task %s comes where %d is due", e.Attempt, e.TaskID, due)
	default:
		return false, nil
	}
}

// Two consumers stamp at the same time: what the one stamps while the other
// does must neither get two stamps nor be passed over.
func TestTwoWhoReadAtOnceMissNothing(t *testing.T) {
	t.Parallel()
	const writers, records, each = 4, 100, 2
	s := open(t)
	var all sync.WaitGroup
	for range writers {
		task := waitingTask(t, s).ID
		all.Go(func() { writeEvents(t, s, task, records, each) })
	}
	for reader := range 4 {
		all.Go(func() {
			seen, last := 0, int64(0)
			hold := tasker.EventsHold{Consumer: fmt.Sprint("books", reader), By: anID(), For: time.Minute}
			for deadline := time.Now().Add(30 * time.Second); seen < writers*records*each; {
				events, err := s.TakeEvents(t.Context(), hold, 50)
				if err == nil && len(events) > 0 {
					seen += len(events)
					last = events[len(events)-1].Position
					err = s.AckEvents(t.Context(), hold, last)
				}
				if err != nil || time.Now().After(deadline) {
					t.Errorf("%s has read %d of %d events up to %d: %v", hold.Consumer, seen, writers*records*each, last, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// For every event that is stamped another one comes, so there is always one
// without a stamp.
func TestWhereEventsComeWithoutAPauseThereIsSomethingToRead(t *testing.T) {
	t.Parallel()
	const together, rounds = 100, 20
	s := open(t)
	s.exec(t, `
create function {schema}.another() returns trigger language plpgsql as $$
begin
    insert into {schema}.events (task, seq, n, name, at, event) values (new.task, new.seq + 1, new.n, new.name, new.at, new.event);
    return null;
end $$`)
	s.exec(t, "create trigger another after update on {schema}.events for each row execute function {schema}.another()")
	writeEvents(t, s, waitingTask(t, s).ID, 1, together)
	hold := tasker.EventsHold{Consumer: "books", By: anID(), For: time.Minute}
	for round := range rounds {
		events, err := s.TakeEvents(t.Context(), hold, together)
		if err != nil || len(events) != together {
			t.Fatalf("in round %d there are %d events, %v", round, len(events), err)
		}
		if err := s.AckEvents(t.Context(), hold, events[together-1].Position); err != nil {
			t.Fatal(err)
		}
	}
}
