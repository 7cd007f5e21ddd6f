package postgres_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/storetest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// These tests see bugs that no other test saw when tasker/plantings planted
// them.

func anID() (id tasker.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// waitingTask is a task that nobody works on, with the template that workers
// ask by.
func waitingTask(t *testing.T, store *pgStore) tasker.Row {
	t.Helper()
	engine, err := tasker.New(tasker.Config{Store: store, Templates: templates(t, "steps: [{name: a, handler: {callable: fine}}]"), Handlers: handlers})
	if err != nil {
		t.Fatal(err)
	}
	submitted, err := engine.Submit(t.Context(), tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	log, err := store.Load(t.Context(), submitted.ID)
	if err != nil {
		t.Fatal(err)
	}
	return log.Row
}

// beat renews a worker's lease, or begins it, and waits until a short one is
// over.
func beat(t *testing.T, store *pgStore, worker tasker.ID, first bool, lease time.Duration) {
	t.Helper()
	if _, err := store.Beat(t.Context(), tasker.Beat{Worker: worker, First: first, Lease: lease}); err != nil {
		t.Fatal(err)
	}
	if lease < time.Second {
		store.exec(t, "select pg_sleep($1)", 2*lease.Seconds())
	}
}

// started is the second record of a task, by a worker.
func started(task, worker tasker.ID) tasker.Append {
	return tasker.Append{Task: task, After: 1, WakeIn: -1, Record: tasker.Record{
		ID: anID(), Writer: worker, Events: []tasker.Event{{Kind: tasker.Claimed, Worker: worker}},
	}}
}

func logLength(t *testing.T, store *pgStore, task tasker.ID) int {
	t.Helper()
	log, err := store.Load(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	return len(log.Records)
}

func TestARecordWhoseChildrenCannotBeStoredIsNotStored(t *testing.T) {
	t.Parallel()
	store := open(t)
	task, worker := waitingTask(t, store), anID()
	beat(t, store, worker, true, time.Minute)
	child := tasker.NewTask{Row: task, Record: tasker.Record{ID: anID(), Events: []tasker.Event{{Kind: tasker.Submitted}}}}
	child.Row.ID, child.Row.Parent = anID(), task.ID
	child.Row.Tag = "\x00" // no text in the database can hold it
	a := started(task.ID, worker)
	a.Change, a.Children = tasker.OwnRow, []tasker.NewTask{child}
	if answers, err := store.Append(t.Context(), []tasker.Append{a}); err == nil {
		t.Fatalf("the database takes everything: %+v", answers)
	}
	if n := logLength(t, store, task.ID); n != 1 {
		t.Errorf("the children were not stored, and the log has %d records", n)
	}
}

func TestAStepIsNotRecordedAfterTheLease(t *testing.T) {
	t.Parallel()
	store := open(t)
	task, worker := waitingTask(t, store), anID()
	beat(t, store, worker, true, 10*time.Millisecond)
	answers, err := store.Append(t.Context(), []tasker.Append{started(task.ID, worker)})
	if err != nil || answers[0].Stored || logLength(t, store, task.ID) != 1 {
		t.Errorf("nobody has noticed that the lease is over, and the answer is %+v, %v", answers, err)
	}
}

// A claim that saw its worker alive may be committed after others have buried
// the worker and freed what it had.
func TestAClaimThatWasUnderWayAtItsWorkersDeathIsFreedByTheNextBeat(t *testing.T) {
	t.Parallel()
	store := open(t)
	task, worker, other := waitingTask(t, store), anID(), anID()
	beat(t, store, worker, true, 10*time.Millisecond)
	beat(t, store, other, true, time.Minute) // buries the worker
	store.exec(t, "update {schema}.tasks set state = 'in_progress', owner = $1, ready = false, wake_at = null where id = $2", worker.String(), task.ID.String())
	beat(t, store, other, false, time.Minute)
	found, err := store.Candidates(t.Context(), tasker.CandidateQuery{Templates: []tasker.TemplateKey{{Namespace: task.Namespace, Hash: task.Hash}}, Limit: 10})
	if err != nil || !slices.ContainsFunc(found.Logs, func(l tasker.Log) bool { return l.Row.ID == task.ID }) {
		t.Errorf("%d tasks are offered, %v; want the dead worker's", len(found.Logs), err)
	}
}

// The clock of this machine and that of a local database agree, so the database
// is given another: functions that stand before its own in the search path.
func TestThePostgresStoreKeepsTheContractByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the usual clock is tried by another test")
	}
	taskertest.PostgresURL(t) // the server outlives the suite, so it is started before
	storetest.Run(t, func(t *testing.T) tasker.Store { return openAnHourAhead(t) })
}

func openAnHourAhead(t *testing.T) *postgres.Store {
	t.Helper()
	config, err := pgxpool.ParseConfig(taskertest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	schema := taskertest.Schema(t)
	quoted := pgx.Identifier{schema}.Sanitize()
	config.ConnConfig.RuntimeParams["search_path"] = quoted + ", pg_catalog"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, sql := range []string{
		"create schema " + quoted,
		"create function " + quoted + ".clock_timestamp() returns timestamptz language sql volatile as $$ select pg_catalog.clock_timestamp() + interval '1 hour' $$",
		"create function " + quoted + ".now() returns timestamptz language sql stable as $$ select pg_catalog.now() + interval '1 hour' $$",
	} {
		if _, err := pool.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
			t.Fatal(err)
		}
	}
	store, err := postgres.New(t.Context(), pool, postgres.Options{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}
