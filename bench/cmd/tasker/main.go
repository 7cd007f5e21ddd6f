// Command tasker measures the engine of this repository.
//
// Variants:
//
//	memory    the embedded store
//	postgres  the durable store
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

var (
	version    = "this tree" // set when it is linked
	cpuProfile = flag.String("cpuprofile", "", "write a CPU profile of the drain to this file")
)

type peer struct {
	c        *harness.Config
	store    tasker.Store
	close    func()
	engine   *tasker.Engine
	name     string // of the template
	finished atomic.Int64
	profile  *os.File

	mu  sync.Mutex
	ids []tasker.ID // of the backlog
}

func (p *peer) Version() string { return version }

func (p *peer) Setup(ctx context.Context, c *harness.Config) (err error) {
	p.c = c
	if p.store, p.close, err = open(ctx, c); err != nil {
		return err
	}
	t, err := flow(c.Workload)
	if err != nil {
		return err
	}
	p.name = t.Name
	p.engine, err = tasker.New(tasker.Config{
		Store: p.store, Templates: []*template.Template{t}, Handlers: handlers(c.Workload), Concurrency: c.Conc,
		Observe: func(_ tasker.Row, r tasker.Record) { // called once the record is stored
			for i := range r.Events {
				if r.Events[i].Kind == tasker.Finished {
					p.finished.Add(1)
				}
			}
		},
	})
	return err
}

func open(ctx context.Context, c *harness.Config) (tasker.Store, func(), error) {
	switch c.Variant {
	case "memory":
		return memory.New(), func() {}, nil
	case "postgres":
		store, err := postgres.Open(ctx, fmt.Sprintf("%s&pool_max_conns=%d", c.DSN, c.Pool), postgres.Options{})
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	return nil, nil, fmt.Errorf("there is no variant %q", c.Variant)
}

func (p *peer) request(id int) tasker.Request {
	return tasker.Request{Namespace: "bench", Name: p.name, Context: harness.First(id)}
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	batch := p.c.SubmitB
	p.ids = make([]tasker.ID, 0, n)
	return harness.Each((n+batch-1)/batch, p.c.Submitter, func(i int) error {
		if batch == 1 {
			s, err := p.engine.Submit(ctx, p.request(i))
			p.remember(s)
			return err
		}
		var requests []tasker.Request
		for id := i * batch; id < min(n, (i+1)*batch); id++ {
			requests = append(requests, p.request(id))
		}
		all, err := p.engine.SubmitAll(ctx, requests)
		p.remember(all...)
		return err
	})
}

func (p *peer) remember(all ...tasker.Submission) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range all {
		p.ids = append(p.ids, s.ID)
	}
}

func (p *peer) StartWorker(ctx context.Context) (err error) {
	if *cpuProfile != "" {
		if p.profile, err = os.Create(*cpuProfile); err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(p.profile); err != nil {
			return err
		}
	}
	return p.engine.Start(ctx)
}

func (p *peer) WaitAll(ctx context.Context, n int) error {
	err := harness.Poll(ctx, n, time.Millisecond, func() (int, error) { return int(p.finished.Load()), nil })
	if p.profile != nil {
		pprof.StopCPUProfile()
		return p.profile.Close()
	}
	return err
}

// Verify reads what is stored, past the engine.
func (p *peer) Verify(ctx context.Context, n int) error {
	if p.c.Variant == "memory" {
		return p.verifyLogs(ctx, n)
	}
	return p.verifyTables(ctx, n)
}

func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	s, err := p.engine.Submit(ctx, p.request(id))
	if err != nil {
		return nil, err
	}
	return harness.HandleFunc(func(ctx context.Context) error {
		t, err := p.engine.Wait(ctx, s.ID)
		if err == nil && t.State != tasker.TaskComplete {
			err = fmt.Errorf("task %s is %s", t.ID, t.State)
		}
		return err
	}), nil
}

func (p *peer) Stop(ctx context.Context) {
	_ = p.engine.Stop(ctx)
	p.close()
}

func main() {
	c := harness.Flags()
	stored := harness.Memory
	if c.Variant == "postgres" {
		stored = harness.Postgres
	}
	harness.Run("tasker", c, &peer{}, stored)
}
