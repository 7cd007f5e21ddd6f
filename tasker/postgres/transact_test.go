package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// ledger is a table of the user's, beside the store's.
func ledger(t *testing.T, s *pgStore) {
	t.Helper()
	s.exec(t, "create table {schema}.ledger (key text not null, amount int not null)") // no unique key: a second booking would be seen
}

func bookings(t *testing.T, s *pgStore) string {
	t.Helper()
	return lines(t, s, "select count(*)::text from {schema}.ledger")
}

// booking is a step that books in its transaction, then does what then says.
func booking(s *pgStore, then func(ctx context.Context) error) tasker.Handler {
	return postgres.Step(func(ctx context.Context, tx pgx.Tx, _ struct{}) (string, error) {
		if _, err := tx.Exec(ctx, s.in("insert into {schema}.ledger values ($1, 1)"), tasker.Key(ctx)); err != nil {
			return "", err
		}
		return "booked", then(ctx)
	})
}

const bookOnce = `
steps:
  - {name: before, handler: {callable: fine}}
  - {name: book, handler: {callable: book}, dependencies: [before], retry: {limit: 3, backoff_base_ms: 1}}
  - {name: after, handler: {callable: fine}, dependencies: [book]}
`

func with(more tasker.Handlers) tasker.Handlers {
	all := tasker.Handlers{}
	for _, hs := range []tasker.Handlers{handlers, more} {
		for name, h := range hs {
			all[name] = h
		}
	}
	return all
}

func TestWhatAStepWritesInItsTransactionStandsWithItsRecord(t *testing.T) {
	t.Parallel()
	store := open(t)
	ledger(t, store)
	s := taskertest.New(t, templates(t, bookOnce), with(tasker.Handlers{"book": booking(store, func(context.Context) error { return nil })}), store)
	for range 20 {
		s.Expect(s.Submit("test/t", map[string]any{})).Complete().Step("book").Completed().After(1).Gave("booked")
	}
	if n := bookings(t, store); n != "20" {
		t.Errorf("20 tasks made %s bookings", n)
	}
}

func TestWhatAFailedStepWroteIsRolledBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		then     func(ctx context.Context) error
		attempts int
		code     string
	}{
		{"by an error", func(context.Context) error { return errors.New("odd") }, 3, tasker.CodeUnexpected},
		{"by a verdict", func(context.Context) error { return tasker.Permanent("NO", "no") }, 1, "NO"},
		{"by a panic", func(context.Context) error { panic("boom") }, 1, tasker.CodePanic},
		{"by a result that is too large", func(ctx context.Context) error {
			tasker.Annotate(ctx, "much", strings.Repeat("x", 1<<20-15))
			return nil
		}, 1, tasker.CodeResultTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			ledger(t, store)
			s := taskertest.New(t, templates(t, bookOnce), with(tasker.Handlers{"book": booking(store, tt.then)}), store)
			task := s.Expect(s.Submit("test/t", map[string]any{})).Is(tasker.TaskBlocked)
			task.Step("book").Failed(tt.code).After(tt.attempts)
			task.Step("after").NeverStarted()
			if n := bookings(t, store); n != "0" {
				t.Errorf("a failed step left %s bookings", n)
			}
		})
	}
}

func TestATransactionThatHealsBooksOnce(t *testing.T) {
	t.Parallel()
	store := open(t)
	ledger(t, store)
	s := taskertest.New(t, templates(t, bookOnce), with(tasker.Handlers{"book": booking(store, func(ctx context.Context) error {
		if tasker.Current(ctx).Number < 3 {
			return errors.New("not yet")
		}
		return nil
	})}), store)
	s.Expect(s.Submit("test/t", map[string]any{})).Complete().Step("book").After(3)
	if n := bookings(t, store); n != "1" {
		t.Errorf("there are %s bookings", n)
	}
}

func TestATaskThatIsCancelledDuringATransactionRollsItBack(t *testing.T) {
	t.Parallel()
	store := open(t)
	ledger(t, store)
	inside, goOn := make(chan struct{}), make(chan struct{})
	s := taskertest.New(t, templates(t, bookOnce), with(tasker.Handlers{"book": booking(store, func(context.Context) error {
		close(inside)
		<-goOn // as if it had not heard of its context's end
		return nil
	})}), store)
	id := s.Submit("test/t", map[string]any{})
	<-inside
	if err := s.Cancel(t.Context(), id, by); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	s.Expect(id).Is(tasker.TaskCancelled)
	if err := s.Stop(t.Context()); err != nil { // waits for the handler
		t.Fatal(err)
	}
	if n := bookings(t, store); n != "0" {
		t.Errorf("a cancelled task left %s bookings", n)
	}
}

// An append of somebody else's, between the handler's success and its record,
// refuses the record. The work is undone and done again.
func TestATransactionWhoseRecordIsRefusedIsDoneAgain(t *testing.T) {
	t.Parallel()
	store := open(t)
	ledger(t, store)
	var runs atomic.Int32
	s := taskertest.New(t, templates(t, bookOnce), with(tasker.Handlers{"book": booking(store, func(ctx context.Context) error {
		if runs.Add(1) > 1 {
			return nil
		}
		id := tasker.Current(ctx).TaskID
		log, err := store.Load(ctx, id)
		if err != nil {
			return err
		}
		_, err = store.Append(ctx, []tasker.Append{{ // without a poke: the worker, if it heard of this, would read it in time
			Task: id, After: int64(len(log.Records)), WakeIn: -1,
			Record: tasker.Record{ID: tasker.ID{1}, Events: []tasker.Event{{Kind: tasker.Submitted, Context: log.Records[0].Events[0].Context}}},
		}})
		return err
	})}), store)
	book := s.Expect(s.Submit("test/t", map[string]any{})).Complete().Step("book").Completed()
	if runs.Load() != 2 || book.Attempts != 1 || book.LostAttempts != 0 {
		t.Errorf("the handler ran %d times; the step shows %d attempts and %d lost ones", runs.Load(), book.Attempts, book.LostAttempts)
	}
	if n := bookings(t, store); n != "1" {
		t.Errorf("there are %s bookings", n)
	}
}

func TestATransactionThatTakesTooLongEndsAsATimeout(t *testing.T) {
	t.Parallel()
	store := open(t)
	ledger(t, store)
	s := taskertest.New(t, templates(t, strings.Replace(bookOnce, "limit: 3", "limit: 1", 1)), with(tasker.Handlers{"book": booking(store, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})}), store, func(c *tasker.Config) { c.Lease = time.Second })
	s.Expect(s.Submit("test/t", map[string]any{})).Is(tasker.TaskBlocked).Step("book").Failed(tasker.CodeTimeout)
	if n := bookings(t, store); n != "0" {
		t.Errorf("there are %s bookings", n)
	}
}

func TestWhatAStepSubmitsInItsTransactionComesWithItOrNotAtAll(t *testing.T) {
	t.Parallel()
	store := open(t)
	ledger(t, store)
	var mu sync.Mutex
	submitted := map[tasker.ID]bool{} // that the observer heard of
	observe := func(row tasker.Row, r tasker.Record) {
		mu.Lock()
		defer mu.Unlock()
		if r.Seq == 1 {
			submitted[row.ID] = true
		}
	}
	s := taskertest.New(t, templates(t, "steps: [{name: a, handler: {callable: a}, retry: {limit: 2, backoff_base_ms: 1}}]"), with(tasker.Handlers{
		"a": postgres.Step(func(ctx context.Context, _ pgx.Tx, in struct {
			Child bool `context:"child"`
		}) (any, error) {
			if in.Child {
				return nil, nil
			}
			if _, err := tasker.Submit(ctx, tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{"child": true}}); err != nil {
				return nil, err
			}
			if tasker.Current(ctx).Number == 1 {
				return nil, errors.New("again")
			}
			return nil, nil
		}),
	}), store, func(c *tasker.Config) { c.Observe = observe })
	s.Expect(s.Submit("test/t", map[string]any{})).Complete().Step("a").After(2)
	rows, err := s.Rows(t.Context(), tasker.Filter{})
	if err != nil || len(rows) != 2 {
		t.Fatalf("there are %d tasks, %v; want the first one and what its second attempt submitted", len(rows), err)
	}
	s.Expect(rows[0].ID).Complete()
	if err := s.Stop(t.Context()); err != nil { // the observer has heard of everything by then
		t.Fatal(err)
	}
	if len(submitted) != 2 || !submitted[rows[0].ID] || !submitted[rows[1].ID] {
		t.Errorf("the observer heard of %d tasks, and there are these two: %v", len(submitted), submitted)
	}
}

func TestATransactionalHandlerOnAStoreWithoutTransactionsIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	_, err := tasker.New(tasker.Config{Store: memory.New(), Templates: templates(t, bookOnce), Handlers: with(tasker.Handlers{
		"book": postgres.Step(func(context.Context, pgx.Tx, struct{}) (any, error) { return nil, nil }),
	})})
	if err == nil || !strings.Contains(err.Error(), "step book: book works in the transaction that records it, and the store *memory.Store has none") {
		t.Errorf("the error is %v", err)
	}
}
