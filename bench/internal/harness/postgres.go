package harness

import (
	"context"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"log"
	"os"
	"strings"
	"time"
)

// BaseDSN is the cluster's address, from BENCH_DSN.
func BaseDSN() string {
	if s := os.Getenv("BENCH_DSN"); s != "" {
		return s
	}
	return "postgres://postgres@127.0.0.1:54329/postgres?sslmode=disable"
}

// FreshDB drops and makes database name and gives its DSN.
func FreshDB(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, BaseDSN())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return "", err
	}
	if _, err = conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	if _, err = conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return "", err
	}
	return strings.Replace(BaseDSN(), "/postgres?", "/"+name+"?", 1), nil
}

// Pool opens a pool with a limit.
func Pool(ctx context.Context, dsn string, n int) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	pc.MaxConns = int32(n)
	return pgxpool.NewWithConfig(ctx, pc)
}

type pgStat struct {
	xid, xacts int64
	lsn        float64
}

func stat(ctx context.Context, dsn string) (s pgStat) {
	if dsn == "" {
		return
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `select pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
		(select xact_commit from pg_stat_database where datname=current_database()),
		(pg_current_wal_insert_lsn()-'0/0'::pg_lsn)::float8`).Scan(&s.xid, &s.xacts, &s.lsn)
	if err != nil {
		log.Fatal(err)
	}
	return
}

// endAll ends the other sessions of the run's database and gives its count of commits.
func endAll(ctx context.Context, dsn string) int64 {
	Ending.Store(true)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	_, _ = conn.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
	time.Sleep(300 * time.Millisecond)
	return stat(ctx, dsn).xacts
}
