package postgres_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// pgStore is a store that knows the name of its schema.
type pgStore struct {
	*postgres.Store
	url, schema string
}

func open(t *testing.T) *pgStore {
	t.Helper()
	s := &pgStore{url: taskertest.PostgresURL(t), schema: taskertest.Schema(t)}
	store, err := postgres.Open(t.Context(), s.url, postgres.Options{Schema: s.schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	s.Store = store
	return s
}

// in puts the schema's name into a statement.
func (s *pgStore) in(sql string) string {
	return strings.ReplaceAll(sql, "{schema}", pgx.Identifier{s.schema}.Sanitize())
}

func (s *pgStore) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.Pool().Exec(context.WithoutCancel(t.Context()), s.in(sql), args...); err != nil {
		t.Fatal(err)
	}
}

// lines gives the texts that a query answers, a line each.
func lines(t *testing.T, s *pgStore, sql string, args ...any) string {
	t.Helper()
	rows, err := s.Pool().Query(t.Context(), s.in(sql), args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// templates reads one template, test/t.
func templates(t testing.TB, source string) []*template.Template {
	t.Helper()
	parsed, err := template.Parse("test.yaml", []byte("namespace_name: test\nversion: 1.0.0\nname: t\n"+source))
	if err != nil {
		t.Fatal(err)
	}
	return []*template.Template{parsed}
}

var handlers = tasker.Handlers{
	"fine": doing(func(context.Context) error { return nil }),
	"bad":  doing(func(context.Context) error { return tasker.Permanent("BAD", "bad") }),
	"odd":  doing(func(context.Context) error { return errors.New("odd") }),
}

func doing(f func(ctx context.Context) error) tasker.Handler {
	return tasker.Step(func(ctx context.Context, _ struct{}) (any, error) { return nil, f(ctx) })
}

var by = tasker.By{Actor: "ops", Reason: "a test"}

func migrationNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("migrations/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return files
}
