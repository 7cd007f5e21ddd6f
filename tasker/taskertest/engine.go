package taskertest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/history"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Engine is an engine that runs until its test ends.
type Engine struct {
	*tasker.Engine

	// Patience is how long the test waits for what must come, by the clock
	// that the test runs by: within a synctest bubble, an hour costs nothing.
	// Defaults to a minute.
	Patience time.Duration

	t         testing.TB
	templates []*template.Template
	handlers  tasker.Handlers
	store     tasker.Store // what a crash does not touch
	options   []Option
	mortal    *mortal
	client    *tasker.Engine // never started: it submits and reads, and a crash is none of its business
	changed   chan struct{}  // something may have happened
}

// Option changes the configuration of an engine. The faults of this package
// are options, and so is any function of this form.
type Option = func(*tasker.Config)

// New starts an engine, and stops it when the test ends; the test fails when
// that does not work. Unless an option says otherwise, the environment is
// "test", the lease is 3 s, so that a takeover is not long in coming, and the
// log goes to the test's output.
func New(t testing.TB, templates []*template.Template, handlers tasker.Handlers, store tasker.Store, options ...Option) *Engine {
	t.Helper()
	s := &Engine{
		Patience: time.Minute,
		t:        t, templates: templates, handlers: handlers, store: store, options: options,
		changed: make(chan struct{}, 1),
	}
	config := tasker.Config{
		Store: store, Templates: templates, Handlers: handlers,
		Environment: "test", Lease: 3 * time.Second,
	}
	s.mortal = makeMortal(&config)
	config.Logger = slog.New(slog.NewTextHandler(s.mortal.writer(t.Output()), &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, option := range options {
		option(&config)
	}
	observe := config.Observe
	config.Observe = func(row tasker.Row, record tasker.Record) {
		if observe != nil {
			observe(row, record)
		}
		s.ring()
	}
	engine, err := tasker.New(config)
	if err != nil {
		t.Fatalf("make an engine: %v", err)
	}
	config.Store = store
	if s.client, err = tasker.New(config); err != nil {
		t.Fatalf("make an engine that only submits: %v", err)
	}
	s.Engine = engine
	if err := engine.Start(t.Context()); err != nil {
		t.Fatalf("start an engine: %v", err)
	}
	t.Cleanup(s.stop)
	return s
}

// OnMemory is a new store in memory.
func OnMemory(testing.TB) tasker.Store { return memory.New() }

// Submit submits a task, which is named as namespace/name, and gives its id.
// Who gives it an idempotency key, or wants to see it rejected, asks the Engine
// within.
func (s *Engine) Submit(task string, input any) tasker.ID {
	s.t.Helper()
	namespace, name, _ := strings.Cut(task, "/")
	submission, err := s.client.Submit(s.t.Context(), tasker.Request{Namespace: namespace, Name: name, Context: input})
	if err != nil {
		s.t.Fatalf("submit %s: %v", task, err)
	}
	return submission.ID
}

// Await waits until a step is in a state, and gives the task as it then is.
func (s *Engine) Await(id tasker.ID, step string, state tasker.StepState) *tasker.Task {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.Patience)
	defer cancel()
	defer s.store.Listen(func(tasker.Hint) { s.ring() })()
	for {
		task, err := s.client.Task(ctx, id)
		if err != nil {
			s.t.Fatalf("wait until step %s of task %s is %s: %v", step, id, state, err)
		}
		found := stepOf(task, step)
		switch {
		case found == nil:
			s.t.Fatalf("wait until step %s of task %s is %s: the task has no such step; it has %s", step, id, state, stepNames(task))
		case found.State == state:
			return task
		case task.State.Final():
			s.t.Fatalf("task %s has ended, and its step %s is %s, not %s\n%s", id, step, found.State, state, s.history(id))
		}
		select {
		case <-s.changed:
		case <-time.After(100 * time.Millisecond): // what another engine does gives no hint
		case <-ctx.Done():
			s.t.Fatalf("after %v step %s of task %s is %s, not %s\n%s", s.Patience, step, id, found.State, state, s.history(id))
		}
	}
}

// ring wakes whoever waits for a change.
func (s *Engine) ring() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Crash ends the engine as SIGKILL would: from now on nothing that it does is
// stored, and the contexts of its handlers have ended. Its lease runs out by
// itself.
func (s *Engine) Crash() { s.mortal.crash() }

// TakeOver waits until the engine has crashed, then starts another one like it
// on the same store.
func (s *Engine) TakeOver() *Engine {
	s.t.Helper()
	select {
	case <-s.mortal.dead.Done():
	case <-time.After(s.Patience):
		s.t.Fatalf("after %v the engine has not crashed, so there is nothing to take over", s.Patience)
	}
	next := New(s.t, s.templates, s.handlers, s.store, s.options...)
	next.Patience = s.Patience
	return next
}

// stop ends the engine with the test. One that has crashed has nothing to
// say: what it would store is refused.
func (s *Engine) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	defer cancel()
	if s.mortal.dead.Err() != nil {
		cancel()
	}
	if err := s.Engine.Stop(ctx); err != nil && s.mortal.dead.Err() == nil {
		s.t.Errorf("the engine does not stop as it should: %v", err)
	}
}

func (s *Engine) history(id tasker.ID) string {
	records, err := s.client.History(context.Background(), id)
	if err != nil {
		return fmt.Sprintf("(its history cannot be read: %v)", err)
	}
	return history.Text(records)
}

func stepOf(task *tasker.Task, name string) *tasker.TaskStep {
	for i := range task.Steps {
		if task.Steps[i].Name == name {
			return &task.Steps[i]
		}
	}
	return nil
}

func stepNames(task *tasker.Task) string {
	names := make([]string, len(task.Steps))
	for i := range task.Steps {
		names[i] = task.Steps[i].Name
	}
	return strings.Join(names, ", ")
}
