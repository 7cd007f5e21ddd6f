// Command dbos measures github.com/dbos-inc/dbos-transact-golang.
// Variants: direct (RunWorkflow in this process, at most -conc in flight), queue (Enqueue, then a queue runner).
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/jackc/pgx/v5/pgxpool"
)

type P = harness.Payload

func step(name string, in ...P) dbos.Step[P] {
	return func(context.Context) (P, error) { harness.Ran(); return harness.Step(name, in...), nil }
}

func l5(ctx dbos.Context, in P) (P, error) {
	p, err := in, error(nil)
	for i := range 5 {
		if p, err = dbos.RunAsStep(ctx, step(fmt.Sprintf("s%d", i), p), dbos.WithStepName(fmt.Sprintf("s%d", i))); err != nil {
			return p, err
		}
	}
	return p, nil
}

func d8(ctx dbos.Context, in P) (P, error) {
	var e, t [3]<-chan dbos.StepOutcome[P]
	var err error
	for i := range 3 {
		if e[i], err = dbos.Go(ctx, step(fmt.Sprintf("extract%d", i), in)); err != nil {
			return in, err
		}
	}
	for i := range 3 {
		o := <-e[i]
		if o.Err != nil {
			return in, o.Err
		}
		if t[i], err = dbos.Go(ctx, step(fmt.Sprintf("transform%d", i), o.Result)); err != nil {
			return in, err
		}
	}
	var ts []P
	for i := range 3 {
		o := <-t[i]
		if o.Err != nil {
			return in, o.Err
		}
		ts = append(ts, o.Result)
	}
	a, err := dbos.RunAsStep(ctx, step("aggregate", ts...), dbos.WithStepName("aggregate"))
	if err != nil {
		return in, err
	}
	return dbos.RunAsStep(ctx, step("insights", a), dbos.WithStepName("insights"))
}

type peer struct {
	c     *harness.Config
	ctx   dbos.Context
	pool  *pgxpool.Pool
	queue bool
	q     dbos.Queue
	wf    dbos.Workflow[P, P]
	sem   chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex
	err   error
}

func (p *peer) Version() string {
	return harness.ModVersion("github.com/dbos-inc/dbos-transact-golang")
}

func (p *peer) Setup(ctx context.Context, c *harness.Config) error {
	p.c = c
	p.queue = c.Variant == "queue"
	p.sem = make(chan struct{}, c.Conc)
	p.wf = l5
	if c.Workload == "D8" {
		p.wf = d8
	}
	var err error
	if p.pool, err = harness.Pool(ctx, c.DSN, c.Pool); err != nil {
		return err
	}
	p.ctx, err = dbos.NewContext(ctx, dbos.Config{AppName: "bench", SystemDBPool: p.pool, ApplicationVersion: "v1",
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	dbos.RegisterWorkflow(p.ctx, l5, dbos.WithWorkflowName("l5"))
	dbos.RegisterWorkflow(p.ctx, d8, dbos.WithWorkflowName("d8"))
	if !p.queue {
		return dbos.Launch(p.ctx)
	}
	return nil
}

func (p *peer) submit(id int) (dbos.WorkflowHandle[P], error) {
	in := harness.First(id)
	opts := []dbos.WorkflowOption{dbos.WithWorkflowID(fmt.Sprintf("t%d", id))}
	if p.queue {
		opts = append(opts, dbos.WithQueue(p.q))
	}
	return dbos.RunWorkflow(p.ctx, p.wf, in, opts...)
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	if p.queue {
		// The library submits through a client while the worker is not launched.
		cl, err := dbos.NewClient(ctx, dbos.ClientConfig{SystemDBPool: p.pool, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			return err
		}
		name := map[string]string{"L5": "l5", "D8": "d8"}[p.c.Workload]
		return harness.Each(n, p.c.Submitter, func(i int) error {
			_, err := dbos.Enqueue[P](cl, "bench", name, harness.First(i), dbos.WithEnqueueWorkflowID(fmt.Sprintf("t%d", i)), dbos.WithEnqueueApplicationVersion("v1"))
			return err
		})
	}
	return harness.Each(n, p.c.Conc, func(i int) error {
		p.sem <- struct{}{}
		h, err := p.submit(i)
		if err != nil {
			return err
		}
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			defer func() { <-p.sem }()
			if _, err := h.GetResult(); err != nil {
				p.mu.Lock()
				p.err = err
				p.mu.Unlock()
			}
		}()
		return nil
	})
}

func (p *peer) StartWorker(ctx context.Context) error {
	if !p.queue {
		return nil
	}
	if err := dbos.Launch(p.ctx); err != nil {
		return err
	}
	var err error
	p.q, err = dbos.RegisterQueue(p.ctx, "bench", dbos.WithWorkerConcurrency(p.c.Conc), dbos.WithQueueBasePollingInterval(10*time.Millisecond))
	return err
}

func (p *peer) WaitAll(ctx context.Context, n int) error {
	if !p.queue {
		p.wg.Wait()
		return p.err
	}
	return harness.Poll(ctx, n, 50*time.Millisecond, func() (c int, err error) {
		err = p.pool.QueryRow(ctx, `select count(*) from dbos.workflow_status where status='SUCCESS'`).Scan(&c)
		return
	})
}

// Verify counts the workflows and the steps that the database has.
func (p *peer) Verify(ctx context.Context, n int) error {
	steps := harness.Steps(p.c.Workload)
	var workflows, outputs int
	if err := p.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'), (SELECT count(*) FROM dbos.operation_outputs WHERE error IS NULL)`).Scan(&workflows, &outputs); err != nil {
		return err
	}
	if workflows != n || outputs != n*steps {
		return fmt.Errorf("wrong: %d workflows and %d steps of %d tasks of %d steps", workflows, outputs, n, steps)
	}
	return nil
}

func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	h, err := p.submit(id)
	if err != nil {
		return nil, err
	}
	return harness.HandleFunc(func(context.Context) error {
		_, err := h.GetResult(dbos.WithHandlePollingInterval(2 * time.Millisecond))
		return err
	}), nil
}

func (p *peer) Stop(ctx context.Context) { dbos.Shutdown(p.ctx, time.Second) }

func main() { harness.Run("dbos", harness.Flags(), &peer{}, harness.Postgres) }
