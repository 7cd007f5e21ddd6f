package postgres_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/storetest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestThePostgresStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	taskertest.PostgresURL(t) // the server outlives the suite, so it is started before
	storetest.Run(t, func(t *testing.T) tasker.Store { return taskertest.OnPostgres(t) })
}

// The ways in which a store may be connected. In -short only the usual one,
// above, is tried.
var connections = []struct {
	name     string
	change   func(*pgxpool.Config)
	noListen bool
}{
	{name: "descriptions of statements are cached", change: mode(pgx.QueryExecModeCacheDescribe)},
	{name: "statements are described each time", change: mode(pgx.QueryExecModeDescribeExec)},
	{name: "statements are not described", change: mode(pgx.QueryExecModeExec)},
	{name: "the simple protocol", change: mode(pgx.QueryExecModeSimpleProtocol)},
	{name: "a pool of one connection", change: func(c *pgxpool.Config) { c.MaxConns = 1 }},
	{name: "another connection for each transaction", change: shuffle, noListen: true},
}

func mode(m pgx.QueryExecMode) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = m }
}

// shuffle makes a pool do what a proxy does that pools by transaction: what
// one transaction has left in its session is gone, or the next one is sent to
// another.
func shuffle(c *pgxpool.Config) {
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	c.MaxConns = 4
	c.AfterRelease = func(conn *pgx.Conn) bool {
		_, err := conn.Exec(context.Background(), "discard all")
		return err == nil && rand.IntN(16) > 0
	}
}

func TestThePostgresStoreKeepsTheContractHoweverItIsConnected(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the usual connection is tried by another test")
	}
	spare := schemas{whole: t, pool: connect(t, nil), empty: make(chan string, 100)}
	for _, c := range connections {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shared := connect(t, c.change)
			storetest.Run(t, func(t *testing.T) tasker.Store {
				schema, pool := spare.borrow(t), shared
				if shared.Config().MaxConns == 1 { // not even with another test
					pool = connect(t, c.change)
				}
				// Many tests share the pool, and wait for each other's connections.
				store, err := postgres.New(t.Context(), pool, postgres.Options{Schema: schema, NoListen: c.noListen, Timeout: 20 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(store.Close)
				return store
			})
		})
	}
}

func connect(t *testing.T, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(taskertest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// schemas are lent to one test at a time: making one takes longer than most
// tests do.
type schemas struct {
	whole *testing.T // with which all are dropped
	pool  *pgxpool.Pool
	empty chan string
}

// borrow gives a schema that is the test's own until the test ends. Then it is
// emptied for the next, unless the test has failed.
func (s *schemas) borrow(t *testing.T) string {
	t.Helper()
	var name string
	select {
	case name = <-s.empty:
	default:
		name = taskertest.Schema(s.whole)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		for _, table := range []string{"records", "tasks", "workers", "templates", "namespaces", "events", "consumers"} {
			if _, err := s.pool.Exec(context.Background(), "delete from "+pgx.Identifier{name, table}.Sanitize()); err != nil {
				t.Fatal(err)
			}
		}
		s.empty <- name
	})
	return name
}
