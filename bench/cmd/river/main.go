// Command river measures github.com/riverqueue/river: one job per step, the next job
// inserted in the transaction that completes the step (JobCompleteTx + InsertTx); the
// joins of D8 count down in a table.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

type P = harness.Payload

type args struct {
	Task     int    `json:"task"`
	Workload string `json:"workload"`
	Step     int    `json:"step"`
	In       []P    `json:"in"`
}

func (args) Kind() string { return "step" }

type worker struct {
	river.WorkerDefaults[args]
	p *peer
}

func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	a := job.Args
	names, _ := harness.DAG(a.Workload)
	harness.Ran()
	out := harness.Step(names[a.Step], a.In...)
	out.Task = a.Task
	tx, err := w.p.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	next := args{Task: a.Task, Workload: a.Workload, Step: a.Step + 1, In: []P{out}}
	last := false
	insert := true
	if a.Workload == "L5" {
		last = a.Step == 4
	} else {
		switch {
		case a.Step < 3:
			next.Step = a.Step + 3
		case a.Step < 6:
			b, _ := json.Marshal(out)
			var left int
			var results []json.RawMessage
			if err := tx.QueryRow(ctx, `UPDATE bench_join SET left_n = left_n - 1, results = array_append(results, $2::jsonb) WHERE task = $1 RETURNING left_n, results`, a.Task, b).Scan(&left, &results); err != nil {
				return err
			}
			insert = left == 0
			if insert {
				next.Step, next.In = 6, nil
				for _, r := range results {
					var x P
					_ = json.Unmarshal(r, &x)
					next.In = append(next.In, x)
				}
			}
		default:
			last = a.Step == 7
		}
	}
	if last {
		b, _ := json.Marshal(out)
		if _, err := tx.Exec(ctx, `INSERT INTO bench_result(task, result) VALUES ($1,$2)`, a.Task, b); err != nil {
			return err
		}
	} else if insert {
		if _, err := river.ClientFromContext[pgx.Tx](ctx).InsertTx(ctx, tx, next, nil); err != nil {
			return err
		}
	}
	if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if last {
		w.p.done.Add(1)
		if ch, ok := w.p.waiters.LoadAndDelete(a.Task); ok {
			close(ch.(chan struct{}))
		}
	}
	return nil
}

type peer struct {
	c       *harness.Config
	pool    *pgxpool.Pool
	client  *river.Client[pgx.Tx]
	done    atomic.Int64
	waiters sync.Map
}

func (p *peer) Version() string { return harness.ModVersion("github.com/riverqueue/river") }

func (p *peer) Setup(ctx context.Context, c *harness.Config) (err error) {
	p.c = c
	if p.pool, err = harness.Pool(ctx, c.DSN, c.Pool); err != nil {
		return err
	}
	m, err := rivermigrate.New(riverpgxv5.New(p.pool), nil)
	if err != nil {
		return err
	}
	if _, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if _, err = p.pool.Exec(ctx, `CREATE TABLE bench_join(task bigint primary key, left_n int not null, results jsonb[] not null default '{}');
		CREATE TABLE bench_result(task bigint primary key, result jsonb)`); err != nil {
		return err
	}
	ws := river.NewWorkers()
	river.AddWorker(ws, &worker{p: p})
	p.client, err = river.NewClient(riverpgxv5.New(p.pool), &river.Config{
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.Conc}},
		FetchCooldown: time.Millisecond, // the least River allows; the default of 100 ms caps a fetch loop at conc/0.1s
		Workers:       ws,
		Logger:        slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return err
}

func (p *peer) first(id int) (jobs []river.InsertManyParams) {
	k := 1
	if p.c.Workload == "D8" {
		k = 3
	}
	for s := range k {
		jobs = append(jobs, river.InsertManyParams{Args: args{Task: id, Workload: p.c.Workload, Step: s, In: []P{harness.First(id)}}})
	}
	return
}

func (p *peer) submit(ctx context.Context, id int) error {
	if p.c.Workload == "L5" {
		_, err := p.client.Insert(ctx, p.first(id)[0].Args, nil)
		return err
	}
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO bench_join(task, left_n) VALUES ($1, 3)`, id); err != nil {
			return err
		}
		_, err := p.client.InsertManyFastTx(ctx, tx, p.first(id))
		return err
	})
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	return harness.Each(n, p.c.Submitter, func(i int) error { return p.submit(ctx, i) })
}

func (p *peer) StartWorker(ctx context.Context) error { return p.client.Start(ctx) }

func (p *peer) WaitAll(ctx context.Context, n int) error {
	return harness.Poll(ctx, n, 5*time.Millisecond, func() (int, error) { return int(p.done.Load()), nil })
}

// Verify counts the rows that the last steps wrote, and the jobs that River has as completed.
func (p *peer) Verify(ctx context.Context, n int) error {
	steps := harness.Steps(p.c.Workload)
	var right, jobs int
	if err := p.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM bench_result WHERE (result->>'sum')::int = $1), (SELECT count(*) FROM river_job WHERE state = 'completed')`,
		harness.FinalSum(p.c.Workload)).Scan(&right, &jobs); err != nil {
		return err
	}
	if right != n || jobs != n*steps {
		return fmt.Errorf("wrong: %d right results and %d completed jobs of %d tasks of %d steps", right, jobs, n, steps)
	}
	return nil
}

func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	ch := make(chan struct{})
	p.waiters.Store(id, ch)
	if err := p.submit(ctx, id); err != nil {
		return nil, err
	}
	return harness.HandleFunc(func(ctx context.Context) error {
		select {
		case <-ch:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("task %d: %w", id, ctx.Err())
		}
	}), nil
}

func (p *peer) Stop(ctx context.Context) { _ = p.client.Stop(ctx) }

func main() { harness.Run("river", harness.Flags(), &peer{}, harness.Postgres) }
