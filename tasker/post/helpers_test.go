package post

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// emptyDatabase is a new database of the test's own.
func emptyDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), taskertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// saying is a place for what is said to the person at the terminal.
func saying(t *testing.T) func(string, ...any) {
	return func(format string, args ...any) { t.Logf(format, args...) }
}
