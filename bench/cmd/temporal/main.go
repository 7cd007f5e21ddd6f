// Command temporal measures go.temporal.io/sdk against `temporal server start-dev` (SQLite).
// Variants: activity (normal activities), local (local activities: batched into one workflow task).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

type P = harness.Payload

var local bool

func Step(ctx context.Context, name string, in []P) (P, error) {
	harness.Ran()
	return harness.Step(name, in...), nil
}

func act(ctx workflow.Context, name string, in ...P) workflow.Future {
	if local {
		return workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute}), Step, name, in)
	}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute}), Step, name, in)
}

func L5(ctx workflow.Context, in P) (P, error) {
	p := in
	for i := range 5 {
		if err := act(ctx, fmt.Sprintf("s%d", i), p).Get(ctx, &p); err != nil {
			return p, err
		}
	}
	return p, nil
}

func D8(ctx workflow.Context, in P) (P, error) {
	var e, t [3]workflow.Future
	var o P
	for i := range 3 {
		e[i] = act(ctx, fmt.Sprintf("extract%d", i), in)
	}
	for i := range 3 {
		if err := e[i].Get(ctx, &o); err != nil {
			return in, err
		}
		t[i] = act(ctx, fmt.Sprintf("transform%d", i), o)
	}
	var ts []P
	for i := range 3 {
		if err := t[i].Get(ctx, &o); err != nil {
			return in, err
		}
		ts = append(ts, o)
	}
	if err := act(ctx, "aggregate", ts...).Get(ctx, &o); err != nil {
		return in, err
	}
	err := act(ctx, "insights", o).Get(ctx, &o)
	return o, err
}

type peer struct {
	c    *harness.Config
	cl   client.Client
	w    worker.Worker
	q    string
	mu   sync.Mutex
	runs []client.WorkflowRun
}

func (p *peer) Version() string { return harness.ModVersion("go.temporal.io/sdk") }

func (p *peer) Setup(ctx context.Context, c *harness.Config) (err error) {
	p.c = c
	local = c.Variant == "local"
	p.q = fmt.Sprintf("bench-%d", time.Now().UnixNano())
	p.cl, err = client.Dial(client.Options{HostPort: c.Addr, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	p.w = worker.New(p.cl, p.q, worker.Options{
		MaxConcurrentActivityExecutionSize:     c.Conc,
		MaxConcurrentWorkflowTaskExecutionSize: c.Conc,
		MaxConcurrentActivityTaskPollers:       8,
		MaxConcurrentWorkflowTaskPollers:       8,
	})
	p.w.RegisterWorkflow(L5)
	p.w.RegisterWorkflow(D8)
	p.w.RegisterActivity(Step)
	return nil
}

func (p *peer) submit(ctx context.Context, id int) (client.WorkflowRun, error) {
	wf := any(L5)
	if p.c.Workload == "D8" {
		wf = D8
	}
	return p.cl.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprintf("%s-%d", p.q, id), TaskQueue: p.q, WorkflowTaskTimeout: time.Minute}, wf, harness.First(id))
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	return harness.Each(n, p.c.Submitter, func(i int) error {
		r, err := p.submit(ctx, i)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.runs = append(p.runs, r)
		p.mu.Unlock()
		return nil
	})
}

func (p *peer) StartWorker(ctx context.Context) error { return p.w.Start() }

func (p *peer) WaitAll(ctx context.Context, n int) error {
	return harness.Each(len(p.runs), 8, func(i int) error { return p.runs[i].Get(ctx, nil) })
}

func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	r, err := p.submit(ctx, id)
	if err != nil {
		return nil, err
	}
	return harness.HandleFunc(func(ctx context.Context) error { return r.Get(ctx, nil) }), nil
}

func (p *peer) Stop(ctx context.Context) { p.w.Stop(); p.cl.Close() }

func main() {
	file := flag.Bool("file", false, "the server keeps its SQLite database in a file, not in memory")
	c := harness.Flags()
	stored := harness.Memory
	if *file {
		stored = harness.Disk
	}
	harness.Run("temporal", c, &peer{}, stored)
}
