package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// migrate brings a schema up to date, all in one transaction. The lock on it
// ends with the transaction, so it cannot be left behind, not even behind a
// proxy. Many processes may do this at once: one does the work.
func migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	files := read(migrationFiles, "migrations", schema)
	steps := slices.Sorted(maps.Keys(files))
	newest := numberOf(steps[len(steps)-1])
	if at, err := versionOf(ctx, pool, schema); err != nil || at == newest {
		return err
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtextextended('tasker:' || $1::text, 0))", schema); err != nil {
			return err
		}
		at, err := versionOf(ctx, tx, schema)
		if err != nil {
			return err
		}
		if at > newest {
			return fmt.Errorf("it is at version %d, and this program knows %d at most; use the newer program", at, newest)
		}
		for _, name := range steps {
			if numberOf(name) <= at {
				continue
			}
			if err := apply(ctx, tx, schema, name, files[name]); err != nil {
				return fmt.Errorf("migration %s: %w", name, err)
			}
		}
		return nil
	})
}

// checkVersion wants a schema that this program knows, and changes nothing.
func checkVersion(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	newest := numberOf(slices.Max(slices.Collect(maps.Keys(read(migrationFiles, "migrations", schema)))))
	switch at, err := versionOf(ctx, pool, schema); {
	case err != nil:
		return err
	case at == 0:
		return errors.New("there is no such schema, or nothing of tasker's in it")
	case at != newest:
		return fmt.Errorf("it is at version %d, and this program wants %d; run the program of that version", at, newest)
	}
	return nil
}

func numberOf(name string) int {
	digits, _, _ := strings.Cut(name, "_")
	n, _ := strconv.Atoi(digits) // embedded, and a test holds them to the form
	return n
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// versionOf is the number of the last migration that was applied, 0 for none.
func versionOf(ctx context.Context, db querier, schema string) (int, error) {
	// Looked up in the catalog's tables: to_regclass answers from a cache that
	// need not know what was committed while this transaction waited.
	const find = "select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1::text and c.relname = 'migrations')"
	var there bool
	if err := db.QueryRow(ctx, find, schema).Scan(&there); err != nil || !there {
		return 0, err
	}
	var version int
	err := db.QueryRow(ctx, "select coalesce(max(version), 0) from "+pgx.Identifier{schema, "migrations"}.Sanitize()).Scan(&version)
	return version, err
}

// apply runs one migration. A schema that is there is not made again: that
// would want a right that the schema's owner need not have.
func apply(ctx context.Context, tx pgx.Tx, schema, name, text string) error {
	quoted := pgx.Identifier{schema}.Sanitize()
	var there bool
	if err := tx.QueryRow(ctx, "select exists (select from pg_catalog.pg_namespace where nspname = $1::text)", schema).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, "create schema "+quoted); err != nil {
			return hint(err)
		}
	}
	_, err := tx.Exec(ctx, "create table if not exists "+quoted+".migrations (version int primary key, name text not null, applied_at timestamptz not null default clock_timestamp())")
	if err != nil {
		return err
	}
	// The simple protocol takes many statements at once.
	if _, err := tx.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "insert into "+quoted+".migrations (version, name) values ($1::int, $2::text)", numberOf(name), name)
	return err
}

// hint says what to do when the right to make a schema is missing.
func hint(err error) error {
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == "42501" {
		return fmt.Errorf("%w; make the schema as somebody who may, and give it to this user", err)
	}
	return err
}
