package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

//go:embed premium.json
var premium []byte

// otherCustomer is somebody whose checkout is not the run's: it has an engine
// and a world of its own, in memory, and shares the telemetry. It fails, so
// that there is something to find.
type otherCustomer struct {
	task        *tasker.Task
	whileItHung []string // metrics, looked at in the middle of it
}

// shopsElsewhere has the other customer's checkout fail.
func (t *Telemetry) shopsElsewhere(ctx context.Context, environment string) (*otherCustomer, error) {
	world, tag := post.NewWorld(), "other"
	shop := newShop(world, incidents[otherIncident])
	config := tasker.Config{
		Store: memory.New(), Templates: []*template.Template{watchedTemplate("")}, Handlers: shop.Handlers(),
		Environment: environment, Tag: tag, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if err := t.wire(&config); err != nil {
		return nil, err
	}
	engine, err := tasker.New(config)
	if err != nil {
		return nil, err
	}
	journal := newJournal(world, t.Business, tag)
	stop, err := t.listen(engine, journal)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := engine.Start(ctx); err != nil {
		return nil, err
	}
	made, err := engine.Submit(ctx, tasker.Request{Namespace: "ecommerce", Name: "monitored_checkout", Context: json.RawMessage(premium), Tag: tag})
	if err != nil {
		return nil, err
	}
	c := &otherCustomer{}
	shop.Stock.line.awaitCall(ctx, made.ID)
	c.whileItHung = t.counted(countFailures...)
	if c.task, err = engine.Wait(ctx, made.ID); err != nil {
		return nil, err
	}
	err = engine.Stop(context.WithoutCancel(ctx))
	journal.catchUp([]*tasker.Task{c.task})
	return c, err
}

// awaitCall waits until a task has called.
func (l *line) awaitCall(ctx context.Context, task tasker.ID) {
	for ctx.Err() == nil {
		called := false
		l.calls.Of(task, func(calls int) { called = calls > 0 })
		if called {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
