package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// The table is locked, so statements hang as in an outage: two are under way, and
// the calls that come then are given up before their turn.
func TestASubmitThatIsGivenUpBeforeItsTurnIsNotMadeLater(t *testing.T) {
	t.Parallel()
	store := open(t)
	template := waitingTask(t, store)
	submit := func(ctx context.Context) error {
		row := tasker.Row{ID: anID(), Namespace: template.Namespace, Name: template.Name, Version: template.Version, Hash: template.Hash}
		row.Root = row.ID
		_, err := store.Submit(ctx, []tasker.NewTask{{Row: row, Record: tasker.Record{ID: anID(), Events: []tasker.Event{{Kind: tasker.Submitted, Context: json.RawMessage("{}")}}}}})
		return err
	}
	tx, err := store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), store.in("lock table {schema}.tasks in access exclusive mode")); err != nil {
		t.Fatal(err)
	}
	var first sync.WaitGroup
	for n := range 2 {
		first.Go(func() {
			if err := submit(t.Context()); err != nil {
				t.Error(err)
			}
		})
		for deadline := time.Now().Add(time.Minute); ; {
			const hang = "select count(*) from pg_locks where relation = $1::regclass and not granted"
			var hanging int
			if err := tx.QueryRow(t.Context(), hang, store.schema+".tasks").Scan(&hanging); err != nil || time.Now().After(deadline) {
				t.Fatalf("%d statements hang, %v", hanging, err)
			}
			if hanging > n {
				break
			}
		}
	}
	var later sync.WaitGroup
	for range 20 {
		later.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := submit(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a submit that is given up gets %v", err)
			}
		})
	}
	later.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	if err := submit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows, err := store.Rows(t.Context(), tasker.Filter{}); err != nil || len(rows) != 4 {
		t.Errorf("there are %d tasks, %v; want the first one, the two under way and the last one", len(rows), err)
	}
}
