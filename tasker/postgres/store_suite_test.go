package postgres_test

import (
	"context"
	"math/rand/v2"
	"testing"

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
		return err == nil && rand.IntN(4) > 0
	}
}

func TestThePostgresStoreKeepsTheContractHoweverItIsConnected(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the usual connection is tried by another test")
	}
	taskertest.PostgresURL(t) // the server outlives the suite, so it is started before
	for _, c := range connections {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) tasker.Store {
				config, err := pgxpool.ParseConfig(taskertest.PostgresURL(t))
				if err != nil {
					t.Fatal(err)
				}
				c.change(config)
				schema := taskertest.Schema(t)
				pool, err := pgxpool.NewWithConfig(t.Context(), config)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(pool.Close)
				store, err := postgres.New(t.Context(), pool, postgres.Options{Schema: schema, NoListen: c.noListen})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(store.Close)
				return store
			})
		})
	}
}
