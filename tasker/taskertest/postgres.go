package taskertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/pglocal"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
)

// OnPostgres is a new store in PostgreSQL, in a schema of the test's own. The
// server is that of [PostgresURL].
func OnPostgres(t testing.TB) tasker.Store {
	t.Helper()
	url, schema := PostgresURL(t), Schema(t)
	store, err := postgres.Open(t.Context(), url, postgres.Options{Schema: schema})
	if err != nil {
		t.Fatalf("open a store in schema %s: %v", schema, err)
	}
	t.Cleanup(store.Close)
	return store
}

// OnEveryStore runs a test once for each kind of store, each time with a new
// one, in parallel. The one on PostgreSQL is skipped where there is none.
func OnEveryStore(t *testing.T, test func(t *testing.T, store tasker.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, memory.New())
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, OnPostgres(t))
	})
}

// PostgresURL is where a PostgreSQL for tests is: the first that there is of
//
//   - the one that TASKER_TEST_DATABASE_URL or else DATABASE_URL names;
//   - one from the server binaries of this machine, see [pglocal.Temporary],
//     which all tests of a test binary share;
//   - one that Docker runs, from the image TASKER_POSTGRES_IMAGE, by default
//     postgres:16-alpine.
//
// What was started for the tests is gone with their process, however that
// ends. Where there is none the test is skipped, or, when
// TASKER_REQUIRE_POSTGRES is 1, fails. TASKER_TEST_POSTGRES=docker goes
// straight to Docker.
func PostgresURL(t testing.TB) string {
	t.Helper()
	url, err := ladder()
	switch {
	case err == nil:
		return url
	case os.Getenv("TASKER_REQUIRE_POSTGRES") == "1":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return ""
}

// ladder finds the server once for all tests of the process.
var ladder = sync.OnceValues(func() (string, error) {
	docker := os.Getenv("TASKER_TEST_POSTGRES") == "docker"
	if !docker {
		for _, name := range []string{"TASKER_TEST_DATABASE_URL", "DATABASE_URL"} {
			if url := os.Getenv(name); url != "" {
				return url, nil
			}
		}
	}
	var noBinaries error
	if !docker {
		server, err := pglocal.Temporary(context.Background())
		if err == nil {
			return server.URL(), nil // nobody stops it: it ends with this process
		}
		noBinaries = err
	}
	url, err := startInDocker()
	switch {
	case err == nil:
		return url, nil
	case docker:
		return "", oneLine("there is no PostgreSQL to test with: TASKER_TEST_POSTGRES=docker asks for one that Docker runs, but %v", err)
	default:
		return "", oneLine("there is no PostgreSQL to test with: %v; and Docker cannot run one: %v", noBinaries, err)
	}
})

// oneLine makes an error that does not break the list of tests.
func oneLine(format string, args ...any) error {
	return fmt.Errorf("%s", strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
}

// Schema is a name for a schema that is the test's own: from the test's name,
// with a part that is chance. The test makes the schema; whatever is in it is
// dropped when the test ends.
func Schema(t testing.TB) string {
	t.Helper()
	url, name := PostgresURL(t), schemaName(t.Name())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := drop(ctx, url, name); err != nil {
			t.Errorf("drop the test's schema: %v", err)
		}
	})
	return name
}

// Database makes a database that is the test's own, and gives its URL. It is
// dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	server, name := PostgresURL(t), schemaName(t.Name())
	do := func(statement string) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	do("create database " + name)
	t.Cleanup(func() { do("drop database " + name + " with (force)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func drop(ctx context.Context, url, schema string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE")
	return err
}

// schemaName makes a schema's name of a test's: what stands for itself in SQL
// without quotes, and short enough, 63 bytes.
func schemaName(test string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(test) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	const chance, limit = 10, 63
	name := b.String()
	return "t_" + name[:min(len(name), limit-chance-len("t__"))] + "_" + strings.ToLower(rand.Text()[:chance])
}
