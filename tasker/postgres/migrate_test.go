package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestEightProcessesMigrateAFreshSchemaAtOnceFiftyTimes(t *testing.T) {
	t.Parallel()
	url := taskertest.PostgresURL(t)
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	var schemas []string
	for range rounds {
		schemas = append(schemas, taskertest.Schema(t))
	}
	var children []*child
	for range 8 {
		children = append(children, startChild(t, "migrate", url, ""))
	}
	for _, schema := range schemas {
		for _, c := range children {
			c.say(schema)
		}
		for i, c := range children {
			if answer := c.hear(); answer != "ok" {
				t.Errorf("process %d, schema %s: %s", i+1, schema, answer)
			}
		}
	}
}

func TestASchemaOfANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	url, schema := taskertest.PostgresURL(t), taskertest.Schema(t)
	store, err := postgres.Open(t.Context(), url, postgres.Options{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Pool().Exec(t.Context(), "insert into "+pgx.Identifier{schema, "migrations"}.Sanitize()+" values (9999, 'from the future')"); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), url, postgres.Options{Schema: schema}); err == nil || !strings.Contains(err.Error(), "it is at version 9999") {
		t.Errorf("opening it gives %v", err)
	}
}

func TestASchemaNameThatWouldNeedQuotesIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{`a"; drop table x; --`, "Upper", "with space", "1st", strings.Repeat("a", 64), "$tag$", "a.b"} {
		if _, err := postgres.New(t.Context(), nil, postgres.Options{Schema: name}); err == nil || !strings.Contains(err.Error(), "name") {
			t.Errorf("%q gives %v", name, err)
		}
	}
}

func TestAPasswordIsInNoError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://user:hunter2@127.0.0.1:1/nowhere",
		"postgres://user:hunter2@127.0.0.1:1/nowhere?sslmode=nonsense",
		"postgres://user:hunter2@[::1",
	} {
		_, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestTheViewsShowTheStepsAsTheyStandAndEverythingThatHappened(t *testing.T) {
	t.Parallel()
	store := open(t)
	s := taskertest.New(t, templates(t, `
steps:
  - {name: a, handler: {callable: fine}}
  - {name: b, handler: {callable: bad}, dependencies: [a]}
  - {name: c, handler: {callable: fine}, dependencies: [b]}
on_failure: block`), handlers, store)
	id := s.Submit("test/t", map[string]any{})
	s.Expect(id)
	got := lines(t, store, `select step || ' ' || state from {schema}.steps where task = $1 order by position`, id.String())
	if want := "a complete\nb error\nc pending"; got != want {
		t.Errorf("the steps are\n%s\nwant\n%s", got, want)
	}
	got = lines(t, store, `select kind || coalesce(' ' || step, '') || coalesce(' ' || attempt, '') from {schema}.history where task = $1 order by seq, position`, id.String())
	if want := "submitted\nclaimed\nstarted a 1\ncompleted a 1\nstarted b 1\nfailed b 1"; got != want {
		t.Errorf("the history is\n%s\nwant\n%s", got, want)
	}
	if err := s.Cancel(t.Context(), id, by); err != nil {
		t.Fatal(err)
	}
	got = lines(t, store, `select step || ' ' || state from {schema}.steps where task = $1 order by position`, id.String())
	if want := "a complete\nb error\nc cancelled"; got != want {
		t.Errorf("after the cancel the steps are\n%s\nwant\n%s", got, want)
	}
}

func TestMigrationsAreNumberedInARow(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^(\d{3})_[a-z_]+\.sql$`)
	for i, name := range migrationNames(t) {
		if m := form.FindStringSubmatch(name); m == nil || m[1] != fmt.Sprintf("%03d", i+1) {
			t.Errorf("migration %d is called %s", i+1, name)
		}
	}
}

func TestATaskThatANewerProgramHasWrittenStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	store := open(t)
	for what, write := range map[string]string{
		"a record": `update {schema}.records set events = '[{"kind":"teleported"}]' where task = $1 and seq = 1`,
		"a row":    `update {schema}.tasks set state = 'teleported' where id = $1`,
	} {
		task := waitingTask(t, store)
		store.exec(t, write, task.ID.String())
		_, err := store.Load(t.Context(), task.ID)
		if err == nil || !strings.Contains(err.Error(), task.ID.String()) || !strings.Contains(err.Error(), "a newer program has written it") {
			t.Errorf("who reads it is told %v", err)
		}
		other := waitingTask(t, store)
		engine, err := tasker.New(tasker.Config{
			Store: store, Templates: templates(t, "steps: [{name: a, handler: {callable: fine}}]"), Handlers: handlers,
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if done, err := engine.Wait(ctx, other.ID); err != nil || done.State != tasker.TaskComplete {
			t.Errorf("beside %s that cannot be read, another task has come to %v, %v", what, done, err)
		}
		if err := engine.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}
