package tasker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// shop is an engine in a test: namespace and task are always test/t.
type shop struct {
	*tasker.Engine
	t *testing.T
}

func parse(t testing.TB, source string) *template.Template {
	t.Helper()
	parsed, err := template.Parse("test.yaml", []byte("namespace_name: test\nversion: 1.0.0\nname: t\n"+source))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// manySteps is a template's steps, none of which waits for another.
func manySteps(n int, callable string) string {
	var source strings.Builder
	source.WriteString("steps:\n")
	for i := range n {
		fmt.Fprintf(&source, "  - {name: s%d, handler: {callable: %s}}\n", i, callable)
	}
	return source.String()
}

// open makes an engine without starting it. What it logs is not shown.
func open(t *testing.T, source string, handlers tasker.Handlers, change ...func(*tasker.Config)) shop {
	t.Helper()
	config := tasker.Config{
		Store: memory.New(), Templates: []*template.Template{parse(t, source)}, Handlers: handlers,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, c := range change {
		c(&config)
	}
	engine, err := tasker.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return shop{engine, t}
}

// start makes an engine that runs until the test ends.
func start(t *testing.T, source string, handlers tasker.Handlers, change ...func(*tasker.Config)) shop {
	t.Helper()
	s := open(t, source, handlers, change...)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

func (s shop) submit() tasker.ID {
	s.t.Helper()
	submitted, err := s.Submit(s.t.Context(), tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{}})
	if err != nil {
		s.t.Fatal(err)
	}
	return submitted.ID
}

// run submits a task and waits for its end or rest.
func (s shop) run() *tasker.Task { s.t.Helper(); return s.await(s.submit()) }

func (s shop) await(id tasker.ID) *tasker.Task {
	s.t.Helper()
	task, err := s.Wait(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return task
}

// waits gives a task a minute, which in a bubble is a matter of nothing.
func (s shop) waits(id tasker.ID) *tasker.Task {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	task, err := s.Wait(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return task
}

func (s shop) task(id tasker.ID) *tasker.Task {
	s.t.Helper()
	task, err := s.Task(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return task
}

// doing is a handler without input or result.
func doing(f func(ctx context.Context) error) tasker.Handler {
	return tasker.Step(func(ctx context.Context, _ struct{}) (any, error) { return nil, f(ctx) })
}

func giving(v any) tasker.Handler {
	return tasker.Step(func(context.Context, struct{}) (any, error) { return v, nil })
}

var fine = giving("fine")

// witness sees the records that an engine tells its observer of.
type witness struct {
	mu   sync.Mutex
	t    *testing.T
	seen map[tasker.ID]int64 // their positions
}

func (w *witness) observe(_ tasker.Row, r tasker.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, twice := w.seen[r.ID]; twice {
		w.t.Errorf("record %s is seen twice", r.ID)
	}
	if w.seen == nil {
		w.seen = map[tasker.ID]int64{}
	}
	w.seen[r.ID] = r.Seq
}

// sawAll holds what was seen to a task's log: everything that a worker stored,
// and nothing else.
func (w *witness) sawAll(log []tasker.Record) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range log {
		if seq, ok := w.seen[r.ID]; r.Writer != (tasker.ID{}) && (!ok || seq != r.Seq) {
			w.t.Errorf("record %d, which begins with %s, is seen: %t, at %d", r.Seq, r.Events[0].Kind, ok, seq)
		}
		delete(w.seen, r.ID)
	}
	if len(w.seen) > 0 {
		w.t.Errorf("%d records are seen that the log has not", len(w.seen))
	}
}
