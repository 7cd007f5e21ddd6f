// Package postgres is the durable store: the log of every task in PostgreSQL,
// 14 or later.
//
// [Open] is all that most programs need:
//
//	store, err := postgres.Open(ctx, os.Getenv("DATABASE_URL"), postgres.Options{})
//	…
//	engine, err := tasker.New(tasker.Config{Store: store, …})
//
// The tables are described in migrations/, the statements in sql/. Two views
// are for people: tasker.steps shows every step as it stands, tasker.history
// everything that happened.
//
// The store works with a pool of one connection, in each of pgx's exec modes
// and behind a proxy that gives each transaction another connection: it
// relies on no session state. It must reach the primary server.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Options say how a [Store] uses its database. The zero value of every field
// is its default.
type Options struct {
	// Schema has all tables of the store. It is made when it is missing.
	// Defaults to "tasker".
	Schema string

	// Existing wants the schema to be there and up to date, and neither makes nor
	// changes it: for tools that only look, or lend a hand.
	Existing bool

	// NoListen keeps the store from LISTEN and NOTIFY. What other processes
	// do is then found by polls alone. A proxy that gives each transaction
	// another connection wants this.
	NoListen bool

	// Timeout bounds every call of the database, and for Open each try to
	// connect, unless the URL has a connect_timeout. Defaults to 5 s.
	Timeout time.Duration

	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

// patience is how long a call of the database may take.
func (o Options) patience() time.Duration {
	if o.Timeout <= 0 {
		return 5 * time.Second
	}
	return o.Timeout
}

// Store keeps tasks in PostgreSQL. Any number of processes may share a
// database; each wants one Store.
type Store struct {
	pool      *pgxpool.Pool
	ownsPool  bool
	sql       statements
	timeout   time.Duration
	log       *slog.Logger
	templates templateIDs
	submits   submits
	looked    atomic.Pointer[pgtype.UUID] // the last of those that await others at which a beat has looked
	ears      ears
}

var (
	_ tasker.Store      = (*Store)(nil)
	_ tasker.Transactor = (*Store)(nil)
)

// Open connects to the database behind a postgres:// URL, brings the schema up
// to date and gives the store, which is to be closed.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err) // pgx hides the password
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "tasker"
	}
	if config.ConnConfig.ConnectTimeout == 0 { // a host that says nothing is given up, and the next one tried
		config.ConnConfig.ConnectTimeout = o.patience()
	}
	for name, value := range cheaper {
		config.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := connect(ctx, config)
	if isUnknownParameter(err) { // a proxy takes only the parameters that it knows
		for name := range cheaper {
			delete(config.ConnConfig.RuntimeParams, name)
		}
		pool, err = connect(ctx, config)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	s, err := New(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.ownsPool = true
	return s, nil
}

// cheaper are settings that make the store cheaper to run; nothing depends on
// them. Compiling its short statements costs more than it saves, and so does
// planning them anew for the length of each array.
var cheaper = map[string]string{"jit": "off", "plan_cache_mode": "force_generic_plan"}

func connect(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// New makes a store of a pool that somebody else opens and closes, and brings
// the schema up to date.
func New(ctx context.Context, pool *pgxpool.Pool, o Options) (*Store, error) {
	if o.Schema == "" {
		o.Schema = "tasker"
	}
	if !schemaName.MatchString(o.Schema) {
		return nil, fmt.Errorf("postgres: the schema's name %q is not made of a-z, 0-9 and _, at most 63 of them", o.Schema)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	prepare, within := migrate, time.Minute
	if o.Existing {
		prepare, within = checkVersion, o.patience()
	}
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := prepare(bounded, pool, o.Schema); err != nil {
		return nil, fmt.Errorf("postgres: schema %s: %w", o.Schema, err)
	}
	s := &Store{pool: pool, sql: statementsFor(o.Schema), timeout: o.patience(), log: o.Logger}
	s.looked.Store(&pgtype.UUID{Valid: true})
	s.ears.init(s, o)
	return s, nil
}

// Close ends what the store does in the background, and the pool if Open made
// it. Engines on it are to be stopped before.
func (s *Store) Close() {
	s.ears.close()
	s.submits.wait()
	if s.ownsPool {
		s.pool.Close()
	}
}

// Pool gives the connections that the store uses.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// bounded gives every call of the database an end.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// in gives the transaction that a context belongs to, or the pool. Whoever
// holds a connection must not wait for a second one.
func (s *Store) in(ctx context.Context) database {
	if t := transactionOf(ctx); t != nil {
		return t.tx
	}
	return s.pool
}

// query runs a statement and calls scan for each row of its answer.
func (s *Store) query(ctx context.Context, name string, args []any, scan func(pgx.Rows) error) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.in(ctx).Query(ctx, s.sql[name], args...)
	if err == nil {
		err = eachRow(rows, scan)
	}
	return s.told(name, err)
}

func eachRow(rows pgx.Rows, scan func(pgx.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// told says which statement an error is of. A connection that has come to a
// standby, after a failover, is of no use any more, and nor are the others.
func (s *Store) told(name string, err error) error {
	if err == nil {
		return nil
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		if answer.Code == readOnly {
			s.pool.Reset()
		}
		// Without Detail, which quotes rows.
		return fmt.Errorf("postgres: %s: %w", name, &pgconn.PgError{Severity: answer.Severity, Code: answer.Code, Message: answer.Message, ConstraintName: answer.ConstraintName})
	}
	return fmt.Errorf("postgres: %s: %w", name, err)
}

const (
	readOnly         = "25006"
	unknownParameter = "08P01"
)

func isUnknownParameter(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == unknownParameter
}
