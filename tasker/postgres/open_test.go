package postgres_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/postgres"
)

// The listener takes connections and never says a word, as a host behind a
// broken network does.
func TestAHostThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	opened := make(chan error, 1)
	go func() {
		_, err := postgres.Open(context.Background(), "postgres://nobody@"+silent.Addr().String()+"/nothing", postgres.Options{Timeout: 50 * time.Millisecond})
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil {
			t.Error("it is taken for a database")
		}
	case <-time.After(20 * time.Second):
		t.Error("it is waited for without an end")
	}
}

// Somebody holds the table that is looked into, as a migration of a newer
// program may.
func TestALookAtASchemaThatIsLockedHasAnEnd(t *testing.T) {
	t.Parallel()
	store := open(t)
	tx, err := store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), store.in("lock table {schema}.migrations in access exclusive mode")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = postgres.New(ctx, store.Pool(), postgres.Options{Schema: store.schema, Existing: true, Timeout: 100 * time.Millisecond})
	if err == nil || ctx.Err() != nil {
		t.Errorf("it gives %v, and is waited for without an end: %t", err, ctx.Err() != nil)
	}
}
