// Command gowf measures github.com/cschleiden/go-workflows.
// Variants: memory (in-memory SQLite), sqlite (SQLite file, WAL).
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"

	"github.com/cschleiden/go-workflows/backend"
	"github.com/cschleiden/go-workflows/backend/monoprocess"
	"github.com/cschleiden/go-workflows/backend/sqlite"
	"github.com/cschleiden/go-workflows/client"
	"github.com/cschleiden/go-workflows/core"
	"github.com/cschleiden/go-workflows/worker"
	"github.com/cschleiden/go-workflows/workflow"
)

type P = harness.Payload

var done atomic.Int64

func Step(ctx context.Context, name string, in []P) (P, error) {
	harness.Ran()
	if name == "s4" || name == "insights" {
		done.Add(1)
	}
	return harness.Step(name, in...), nil
}

func act(ctx workflow.Context, name string, in ...P) workflow.Future[P] {
	return workflow.ExecuteActivity[P](ctx, workflow.ActivityOptions{RetryOptions: workflow.RetryOptions{MaxAttempts: 1}}, Step, name, in)
}

func L5(ctx workflow.Context, in P) (P, error) {
	p, err := in, error(nil)
	for i := range 5 {
		if p, err = act(ctx, fmt.Sprintf("s%d", i), p).Get(ctx); err != nil {
			return p, err
		}
	}
	return p, nil
}

func D8(ctx workflow.Context, in P) (P, error) {
	var e, t [3]workflow.Future[P]
	for i := range 3 {
		e[i] = act(ctx, fmt.Sprintf("extract%d", i), in)
	}
	for i := range 3 {
		o, err := e[i].Get(ctx)
		if err != nil {
			return in, err
		}
		t[i] = act(ctx, fmt.Sprintf("transform%d", i), o)
	}
	var ts []P
	for i := range 3 {
		o, err := t[i].Get(ctx)
		if err != nil {
			return in, err
		}
		ts = append(ts, o)
	}
	a, err := act(ctx, "aggregate", ts...).Get(ctx)
	if err != nil {
		return in, err
	}
	return act(ctx, "insights", a).Get(ctx)
}

type peer struct {
	c  *harness.Config
	b  backend.Backend
	w  *worker.Worker
	cl *client.Client
}

func (p *peer) Version() string { return harness.ModVersion("github.com/cschleiden/go-workflows") }

func (p *peer) Setup(ctx context.Context, c *harness.Config) error {
	p.c = c
	opt := sqlite.WithBackendOptions(backend.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if c.Variant == "sqlite" {
		f := filepath.Join(c.Dir, "gowf.sqlite")
		for _, s := range []string{"", "-wal", "-shm"} {
			os.Remove(f + s)
		}
		p.b = monoprocess.NewMonoprocessBackend(sqlite.NewSqliteBackend(f, opt))
	} else {
		p.b = monoprocess.NewMonoprocessBackend(sqlite.NewInMemoryBackend(opt))
	}
	wo := worker.DefaultOptions
	wo.WorkflowExecutorCacheSize = c.N + 16
	wo.MaxParallelActivityTasks = c.Conc
	wo.MaxParallelWorkflowTasks = c.Conc
	p.w = worker.New(p.b, &wo)
	if err := p.w.RegisterWorkflow(L5); err != nil {
		return err
	}
	if err := p.w.RegisterWorkflow(D8); err != nil {
		return err
	}
	if err := p.w.RegisterActivity(Step); err != nil {
		return err
	}
	p.cl = client.New(p.b)
	return nil
}

func (p *peer) submit(ctx context.Context, id int) (*workflow.Instance, error) {
	wf := any(L5)
	if p.c.Workload == "D8" {
		wf = D8
	}
	return p.cl.CreateWorkflowInstance(ctx, client.WorkflowInstanceOptions{InstanceID: fmt.Sprintf("t%d", id)}, wf, harness.First(id))
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	return harness.Each(n, p.c.Submitter, func(i int) error {
		_, err := p.submit(ctx, i)
		return err
	})
}

func (p *peer) StartWorker(ctx context.Context) error { return p.w.Start(ctx) }

func (p *peer) WaitAll(ctx context.Context, n int) error {
	if err := harness.Poll(ctx, n, 20*time.Millisecond, func() (int, error) { return int(done.Load()), nil }); err != nil {
		return err
	}
	return harness.Poll(ctx, 0, 20*time.Millisecond, func() (int, error) { // then the last completions
		s, err := p.b.GetStats(ctx)
		if err != nil {
			return 0, err
		}
		return -int(s.ActiveWorkflowInstances), nil
	})
}

func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	in, err := p.submit(ctx, id)
	if err != nil {
		return nil, err
	}
	return harness.HandleFunc(func(ctx context.Context) error {
		// The library's own wait backs off up to a second; poll every millisecond instead.
		for {
			s, err := p.b.GetWorkflowInstanceState(ctx, in)
			if err != nil || s == core.WorkflowInstanceStateFinished {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}), nil
}

func (p *peer) Stop(ctx context.Context) {}

func main() {
	c := harness.Flags()
	stored := harness.Memory
	if c.Variant == "sqlite" {
		stored = harness.Disk
	}
	harness.Run("go-workflows", c, &peer{}, stored)
}
