package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// fill puts a past into a store: so many tasks that have ended, but for those
// that are open, half of them at rest. Nothing is updated: what a row was before
// stays in the indexes for as long as some other test has a transaction open.
func fill(t *testing.T, s *pgStore, tasks, open int) {
	t.Helper()
	if _, err := s.SaveTemplates(t.Context(), []tasker.StoredTemplate{{Namespace: "test", Name: "t", Version: "1.0.0", Hash: "h", Source: "x", Steps: []string{"a"}}}, true); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `insert into {schema}.tasks (id, template, environment, namespace, name, priority, tag, identity, holds_identity, retry_ended, input_hash, state, ready, wake_at, created_at, finished_at)
		select gen_random_uuid(), (select id from {schema}.templates), 'test', 'test', 't', n % 3, '', 'key:' || n, true, false, '', case when open then 'pending' else 'complete' end,
		       open and n % 2 = 0, case when open then now() + case when n % 2 = 0 then interval '0' else interval '1 hour' end end, now(), case when not open then now() end
		  from (select n, n <= $2::int as open from generate_series(1, $1::int) as n order by random()) as n`, tasks, open)
	s.exec(t, `insert into {schema}.records (task, seq, id, events) select t.id, n, gen_random_uuid(), '[]' from {schema}.tasks t cross join generate_series(1, 4) as n`)
}

var (
	parameter = regexp.MustCompile(`\$(\d+)`)
	totalCost = regexp.MustCompile(`cost=[\d.]+\.\.([\d.]+)`)
	scan      = regexp.MustCompile(`Seq Scan on (tasks|records)`)
)

// Where a connection does not take jit=off, plans must stay below the cost
// from which they are compiled; and nothing may read whole tables, with
// statistics or without.
func TestEveryPlanUsesAnIndexAndIsTooCheapToCompile(t *testing.T) {
	t.Parallel()
	const compiledFrom = 100_000 // jit_above_cost, by default
	store := open(t)
	fill(t, store, 50_000, 500)
	for _, statistics := range []string{"without statistics", "with statistics"} {
		if statistics == "with statistics" {
			store.exec(t, "analyze {schema}.tasks")
			store.exec(t, "analyze {schema}.records")
		}
		for name, sql := range postgres.StatementsFor(store.schema) {
			if slices.Contains([]string{"lock_templates", "rows", "not_ended", "idle", "no_worker"}, name) { // a command; parts of statements
				continue
			}
			plan := genericPlan(t, store, name, sql)
			if table := scan.FindString(plan); table != "" {
				t.Errorf("%s, %s: %s\n%s", name, statistics, table, plan)
			}
			if cost := totalCost.FindStringSubmatch(plan); cost != nil {
				if c, _ := strconv.ParseFloat(cost[1], 64); c >= compiledFrom {
					t.Errorf("%s, %s: the plan costs %s\n%s", name, statistics, cost[1], plan)
				}
			}
		}
	}
}

// genericPlan is the plan that a prepared statement ends up with.
func genericPlan(t *testing.T, s *pgStore, name, sql string) (plan string) {
	t.Helper()
	highest := 0
	for _, m := range parameter.FindAllStringSubmatch(sql, -1) {
		n, _ := strconv.Atoi(m[1])
		highest = max(highest, n)
	}
	execute := "explain execute plan_" + name
	if highest > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("null,", highest), ",") + ")"
	}
	err := pgx.BeginFunc(t.Context(), s.Pool(), func(tx pgx.Tx) error {
		for _, command := range []string{"set local plan_cache_mode = force_generic_plan", s.in(postgres.StatementsFor(s.schema)["in_order"]), "prepare plan_" + name + " as " + sql} {
			if _, err := tx.Conn().PgConn().Exec(t.Context(), command).ReadAll(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		rows, err := tx.Query(t.Context(), execute, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		if err == nil {
			_, err = tx.Exec(t.Context(), "deallocate plan_"+name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestAClaimAmongManyFinishedTasksReadsLittle(t *testing.T) {
	t.Parallel()
	store := open(t)
	fill(t, store, 50_000, 500)
	store.exec(t, "vacuum analyze {schema}.tasks")
	var buffers int
	var plan string
	err := pgx.BeginFunc(t.Context(), store.Pool(), func(tx pgx.Tx) error {
		statements := postgres.StatementsFor(store.schema)
		if _, err := tx.Exec(t.Context(), statements["in_order"]); err != nil {
			return err
		}
		rows, err := tx.Query(t.Context(), "explain (analyze, buffers, format text) "+statements["candidates"], []int32{1}, []string{"test"}, "", 10, false)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		_, _ = fmt.Sscanf(regexp.MustCompile(`hit=\d+`).FindString(plan), "hit=%d", &buffers)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if buffers == 0 || buffers > 200 {
		t.Errorf("claiming 10 of 50,000 tasks reads %d buffers, want at most 200\n%s", buffers, plan)
	}
}

func TestAListOfWhatHasNotEndedReadsLittleAmongManyThatHave(t *testing.T) {
	t.Parallel()
	const ended, each = 50_000, 10
	store := open(t)
	fill(t, store, ended, 0)
	for i, state := range []string{"pending", "in_progress", "waiting_for_retry", "waiting", "blocked_by_failures"} {
		store.exec(t, `insert into {schema}.tasks (id, template, environment, namespace, name, priority, tag, identity, holds_identity, retry_ended, input_hash, state, ready, owner, wake_at, created_at)
			select gen_random_uuid(), (select id from {schema}.templates), 'test', 'test', 't', 0, '', $1 || n, true, false, '', $1, $2, case when $3 then gen_random_uuid() end, case when $4 then now() + interval '1 hour' end, now()
			  from generate_series(1, $5::int) as n`, state, i == 0, i == 1, i == 2, each)
	}
	store.exec(t, "vacuum analyze {schema}.tasks")
	for name, filter := range map[string]tasker.Filter{
		"pending":                {States: []tasker.TaskState{tasker.TaskPending}},
		"in progress":            {States: []tasker.TaskState{tasker.TaskInProgress}},
		"waiting":                {States: []tasker.TaskState{tasker.TaskWaiting}},
		"blocked, and waiting":   {States: []tasker.TaskState{tasker.TaskBlocked, tasker.TaskWaitingForRetry, tasker.TaskInProgress}},
		"idle":                   {Idle: time.Hour},
		"that nobody works on":   {NoWorker: true},
		"blocked in a namespace": {Namespace: "test", Name: "t", States: []tasker.TaskState{tasker.TaskBlocked}},
	} {
		text, args := store.List(&filter)
		var buffers int
		plan := lines(t, store, "explain (analyze, buffers, format text) "+text, args...)
		_, _ = fmt.Sscanf(regexp.MustCompile(`hit=\d+`).FindString(plan), "hit=%d", &buffers)
		if buffers == 0 || buffers > 500 {
			t.Errorf("to list tasks %s among %d that have ended reads %d buffers, want at most 500\n%s", name, ended, buffers, plan)
		}
	}
}

// counter counts what a pool asks of the database.
type counter struct{ asked atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.asked.Add(1)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (c *counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.asked.Add(1) // one round trip
	return ctx
}
func (c *counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func TestAnIdleWorkerAsksTheDatabaseAtMostTwiceASecond(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(taskertest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	count := &counter{}
	config.ConnConfig.Tracer = count
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := postgres.New(t.Context(), pool, postgres.Options{Schema: taskertest.Schema(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	s := taskertest.New(t, templates(t, "steps: [{name: a, handler: {callable: fine}}]"), handlers, store, func(c *tasker.Config) { c.Lease = 30 * time.Second })
	s.Expect(s.Submit("test/t", map[string]any{})).Complete()
	settle := time.NewTimer(time.Second)
	<-settle.C
	before := count.asked.Load()
	const watched = 4 * time.Second
	<-time.After(watched)
	if asked := count.asked.Load() - before; asked > int64(2*watched/time.Second) {
		t.Errorf("in %v it asked %d times", watched, asked)
	} else {
		t.Logf("in %v it asked %d times", watched, asked)
	}
}
