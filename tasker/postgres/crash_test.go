package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

const crashLease = 2 * time.Second

const holding = "name: t\nnamespace_name: test\nversion: 1.0.0\nsteps: [{name: hold, handler: {callable: hold}}]\n"

// holdTasks is a worker that begins every task and finishes none.
func holdTasks() {
	store, err := postgres.Open(context.Background(), os.Getenv("URL"), postgres.Options{Schema: os.Getenv("SCHEMA")})
	if err != nil {
		panic(err)
	}
	parsed, err := template.Parse("test.yaml", []byte(holding))
	if err != nil {
		panic(err)
	}
	engine, err := tasker.New(tasker.Config{
		Store: store, Templates: []*template.Template{parsed}, Concurrency: 256, Lease: crashLease,
		Handlers: tasker.Handlers{"hold": doing(func(ctx context.Context) error { fmt.Println("begun"); <-ctx.Done(); return ctx.Err() })},
	})
	if err == nil {
		err = engine.Start(context.Background())
	}
	if err != nil {
		panic(err)
	}
	bufio.NewScanner(os.Stdin).Scan() // for ever: it is killed
}

func TestTheTasksOfAKilledWorkerAllGoOnWithinOneAndAHalfLeases(t *testing.T) {
	t.Parallel()
	const tasks = 200
	store := open(t)
	began := make(chan time.Time, tasks)
	config := tasker.Config{
		Store: store, Templates: templates(t, "steps: [{name: hold, handler: {callable: hold}}]"), Concurrency: 256, Lease: crashLease,
		Handlers: tasker.Handlers{"hold": doing(func(context.Context) error { began <- time.Now(); return nil })},
	}
	parsed, err := template.Parse("test.yaml", []byte(holding))
	if err != nil {
		t.Fatal(err)
	}
	config.Templates = []*template.Template{parsed}
	engine, err := tasker.New(config)
	if err != nil {
		t.Fatal(err)
	}
	requests := make([]tasker.Request, tasks)
	for i := range requests {
		requests[i] = tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{}}
	}
	submitted, err := engine.SubmitAll(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	victim := startChild(t, "hold", store.url, store.schema)
	for range tasks {
		victim.hear()
	}
	if err := engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	killed := time.Now()
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var last time.Time
	for n := range tasks {
		select {
		case last = <-began:
		case <-time.After(10 * crashLease):
			t.Fatalf("only %d of %d tasks went on", n, tasks)
		}
	}
	if took := last.Sub(killed); took > crashLease*3/2 {
		t.Errorf("the last task went on %v after the kill, want %v at most", took, crashLease*3/2)
	} else {
		t.Logf("all %d tasks went on within %v of the kill, with a lease of %v", tasks, took.Round(time.Millisecond), crashLease)
	}
	for _, s := range submitted {
		task, err := engine.Wait(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if step := task.Steps[0]; step.State != tasker.StepComplete || step.LostAttempts != 1 || step.Attempts != 1 {
			t.Errorf("task %s: the step is %s after %d attempts and %d lost ones", s.ID, step.State, step.Attempts, step.LostAttempts)
		}
	}
}
