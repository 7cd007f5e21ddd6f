package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/payload"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

var limiting = chapter{"engine", []promise{
	{"a workflow runs from its submit to its end", workflowRuns},
	{"a context of exactly the limit is kept, one byte more is refused", contextLimit},
	{"a result of exactly the limit is kept, one byte more fails the step", resultLimit},
	{"what a failure leaves beside its text is kept up to the limit, and replaced by the reason beyond it", failureLimit},
	{"the reason of an operator is kept up to the limit, and refused beyond it", reasonLimit},
	{"a key, a tag and a correlation id of exactly the limit are kept, one byte more is refused", keyLimit},
	{"fifty submits at once with one key make one task", keysAtOnce},
	{"equal input is one task until it was cancelled, then fifty submits at once make one new", strictAtOnce},
	{"two engines share the work and lose nothing", enginesShare},
	{"another engine goes on where one has stopped", engineGoesOn},
}}

// shop is an engine of a case; its task is shop/work.
type shop struct {
	*tasker.Engine
	w *world
}

// open makes an engine with one template, of which the source has all but the
// name. It is not started.
func (w *world) open(source string, handlers tasker.Handlers) shop {
	w.Helper()
	t, err := template.Parse("work.yaml", []byte("namespace_name: shop\nname: work\nversion: 1.0.0\n"+source))
	if err != nil {
		w.Fatal(err)
	}
	engine, err := tasker.New(tasker.Config{
		Store: w.Store, Templates: []*template.Template{t}, Handlers: handlers, Concurrency: 16, Poll: 100 * time.Millisecond,
		Environment: "test", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		w.Fatal(err)
	}
	return shop{engine, w}
}

// run starts the engine, until the case ends.
func (s shop) run() shop {
	s.w.Helper()
	if err := s.Start(s.w.Context()); err != nil {
		s.w.Fatal(err)
	}
	s.w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			s.w.Errorf("stop: %v", err)
		}
	})
	return s
}

func (s shop) request(input any) tasker.Request {
	return tasker.Request{Namespace: "shop", Name: "work", Context: input}
}

func (s shop) submit(input any) tasker.ID {
	s.w.Helper()
	submitted, err := s.Submit(s.w.Context(), s.request(input))
	if err != nil {
		s.w.Fatalf("submit: %v", err)
	}
	return submitted.ID
}

// ends waits for a task's end. A task without end fails the case: whatever a
// handler does, no step may be left as it is.
func (s shop) ends(id tasker.ID) *tasker.Task {
	s.w.Helper()
	ctx, cancel := context.WithTimeout(s.w.Context(), patience)
	defer cancel()
	task, err := s.Wait(ctx, id)
	if err != nil {
		s.w.Fatalf("the task does not end: %v", err)
	}
	return task
}

const oneStep = "on_failure: fail\nsteps: [{name: a, handler: {callable: a}, retry: {limit: 1}}]"

// giving is a handler that gives what is asked for by the context's "n".
func giving[T any](gives func(ctx context.Context, n int) (T, error)) tasker.Handlers {
	type in struct {
		N int `context:"n"`
	}
	return tasker.Handlers{"a": tasker.Step(func(ctx context.Context, i in) (T, error) { return gives(ctx, i.N) })}
}

func nothing(context.Context, int) (any, error) { return nil, nil }

func workflowRuns(w *world) {
	type in struct {
		A int `result:"a"`
	}
	next := tasker.Step(func(_ context.Context, i in) (int, error) { return i.A + 1, nil })
	handlers := giving(func(_ context.Context, n int) (int, error) { return n, nil })
	handlers["b"], handlers["c"] = next, next
	s := w.open("steps: [{name: a, handler: {callable: a}}, {name: b, handler: {callable: b}, dependencies: [a]}, {name: c, handler: {callable: c}, dependencies: [a]}]", handlers).run()
	for n := range 20 {
		task := s.ends(s.submit(map[string]int{"n": n}))
		if task.State != tasker.TaskComplete || string(task.Steps[2].Result) != fmt.Sprint(n+1) {
			w.Errorf("task %d is %s with %s", n, task.State, task.Steps[2].Result)
		}
	}
}

// document is a JSON object of that many bytes.
func document(size int) json.RawMessage {
	const frame = `{"v":""}`
	return json.RawMessage(`{"v":"` + strings.Repeat("x", size-len(frame)) + `"}`)
}

func contextLimit(w *world) {
	s := w.open(oneStep, giving(nothing))
	want := document(payload.MaxBytes)
	task, err := s.Task(w.Context(), s.submit(want))
	if err != nil || !bytes.Equal(task.Context, want) {
		w.Errorf("a context of the limit came back otherwise: %v", err)
	}
	var rejected *tasker.Rejected
	if _, err := s.Submit(w.Context(), s.request(document(payload.MaxBytes+1))); !errors.As(err, &rejected) || rejected.Code != tasker.CodeInvalidInput {
		w.Errorf("a context over the limit gives %v", err)
	}
	if rows := w.list(tasker.Filter{}); len(rows) != 1 {
		w.Errorf("%d tasks are there", len(rows))
	}
}

func resultLimit(w *world) {
	s := w.open(oneStep, giving(func(_ context.Context, n int) (json.RawMessage, error) { return document(n), nil })).run()
	good := s.ends(s.submit(map[string]int{"n": payload.MaxBytes}))
	if !bytes.Equal(good.Steps[0].Result, document(payload.MaxBytes)) {
		w.Errorf("a result of the limit came back otherwise; the step is %s", good.Steps[0].State)
	}
	bad := s.ends(s.submit(map[string]int{"n": payload.MaxBytes + 1}))
	if e := bad.Steps[0].Error; bad.State != tasker.TaskError || e == nil || e.Code != tasker.CodeResultTooLarge || e.Kind != tasker.KindPermanent {
		w.Errorf("with a result over the limit the task is %s, and the step failed by %v", bad.State, e)
	}
}

// failureLimit has handlers fail with n parts of a tenth of the limit, as notes
// and as figures of the error.
func failureLimit(w *world) {
	part := strings.Repeat("x", payload.MaxBytes/10)
	s := w.open(oneStep, giving(func(ctx context.Context, n int) (any, error) {
		failure := tasker.Permanent("NO", "no")
		for i := range n {
			tasker.Annotate(ctx, fmt.Sprintf("note %d", i), part)
			_ = failure.With(fmt.Sprintf("figure %d", i), part)
		}
		return nil, failure
	})).run()
	for n, want := range map[int]int{9: 9, 10: 1, 40: 1} {
		task := s.ends(s.submit(map[string]int{"n": n}))
		step := task.Steps[0]
		var notes map[string]json.RawMessage
		if err := json.Unmarshal(step.Metadata, &notes); err != nil {
			w.Error(err)
		}
		if step.Error.Code != "NO" || len(step.Error.Context) != want || len(notes) != want {
			w.Errorf("of %d tenths of the limit the error, which is %s, has %d, and the notes have %d; want %d", n, step.Error.Code, len(step.Error.Context), len(notes), want)
		}
		if told := fmt.Sprintf("%s %s", step.Error.Context["context"], notes["metadata"]); want == 1 && strings.Count(told, "not stored") != 2 {
			w.Errorf("in place of %d tenths of the limit stands %s", n, told)
		}
	}
}

func reasonLimit(w *world) {
	s := w.open(oneStep, giving(nothing))
	for place, by := range map[string]func(excess int) tasker.By{
		"reason": func(n int) tasker.By { return tasker.By{Reason: strings.Repeat("x", tasker.MaxErrorText+n)} },
		"actor":  func(n int) tasker.By { return tasker.By{Actor: strings.Repeat("x", tasker.MaxKey+n)} },
	} {
		id := s.submit(map[string]int{"n": 1})
		if err := s.Cancel(w.Context(), id, by(1)); err == nil || !strings.Contains(err.Error(), "the "+place+" has ") {
			w.Errorf("with a %s over the limit the cancel says %v", place, err)
		}
		if state := w.row(id).State; state != tasker.TaskPending {
			w.Errorf("after a cancel that was refused the task is %s", state)
		}
		if err := s.Cancel(w.Context(), id, by(0)); err != nil {
			w.Errorf("with a %s of the limit the cancel says %v", place, err)
		}
		if e := w.load(id).Records[1].Events[0]; (tasker.By{Actor: e.Actor, Reason: e.Reason}) != by(0) {
			w.Errorf("the %s is not kept", place)
		}
	}
}

func keyLimit(w *world) {
	s := w.open(oneStep, giving(nothing))
	for _, letter := range []string{"x", "é"} {
		fits := strings.Repeat(letter, tasker.MaxKey/len(letter))
		r := s.request(map[string]string{"letter": letter})
		r.IdempotencyKey, r.Tag, r.CorrelationID = fits, fits, fits
		first, err := s.Submit(w.Context(), r)
		if err != nil {
			w.Fatal(err)
		}
		if again, err := s.Submit(w.Context(), r); err != nil || again.ID != first.ID || !again.Existing {
			w.Errorf("the key of the limit is not known again: %v, %v", again, err)
		}
		if row := w.row(first.ID); row.Tag != fits || row.CorrelationID != fits {
			w.Errorf("the row is %+v", row)
		}
		for _, change := range []func(*tasker.Request){
			func(r *tasker.Request) { r.IdempotencyKey += letter },
			func(r *tasker.Request) { r.Tag += letter },
			func(r *tasker.Request) { r.CorrelationID += letter },
		} {
			long := r
			change(&long)
			var rejected *tasker.Rejected
			if _, err := s.Submit(w.Context(), long); !errors.As(err, &rejected) {
				w.Errorf("one more byte gives %v", err)
			}
		}
	}
}

// atOnce submits the request fifty times at the same time.
func (s shop) atOnce(r tasker.Request) (ids map[tasker.ID]int, first int) {
	var mu sync.Mutex
	ids = map[tasker.ID]int{}
	together(50, func(int) {
		s.w.surely(func() error {
			all, err := s.SubmitAll(s.w.Context(), []tasker.Request{r, r})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, submitted := range all {
				ids[submitted.ID]++
				if !submitted.Existing {
					first++
				}
			}
			return nil
		})
	})
	return ids, first
}

func keysAtOnce(w *world) {
	s := w.open(oneStep, giving(nothing))
	r := s.request(map[string]int{"n": 1})
	r.IdempotencyKey = "order 1"
	if ids, first := s.atOnce(r); len(ids) != 1 || first != 1 {
		w.Errorf("the submits are answered with %d tasks, %d of them as new", len(ids), first)
	}
	r.Context = map[string]int{"n": 2}
	var rejected *tasker.Rejected
	if _, err := s.Submit(w.Context(), r); !errors.As(err, &rejected) || rejected.Code != tasker.CodeKeyMismatch {
		w.Errorf("the key with other input gives %v", err)
	}
}

func strictAtOnce(w *world) {
	s := w.open("identity_strategy: strict\n"+oneStep, giving(nothing))
	r := s.request(json.RawMessage(`{"n":1}`))
	ids, _ := s.atOnce(r)
	for id := range ids {
		if err := s.Cancel(w.Context(), id, tasker.By{Actor: "anna"}); err != nil {
			w.Fatal(err)
		}
	}
	again, first := s.atOnce(r)
	if len(ids) != 1 || len(again) != 1 || first != 1 {
		w.Errorf("%d tasks, and after the cancel %d, %d of them as new", len(ids), len(again), first)
	}
	for id := range again {
		if ids[id] > 0 {
			w.Error("the cancelled task is answered")
		}
	}
}

func enginesShare(w *world) {
	const tasks = 60
	var calls [tasks]atomic.Int32
	handlers := giving(func(_ context.Context, n int) (int, error) { calls[n].Add(1); return n, nil })
	one, two := w.open(oneStep, handlers).run(), w.open(oneStep, handlers).run()
	var ids []tasker.ID
	for n := range tasks {
		ids = append(ids, []shop{one, two}[n%2].submit(map[string]int{"n": n}))
	}
	for n, id := range ids {
		if task := two.ends(id); task.State != tasker.TaskComplete || calls[n].Load() != 1 {
			w.Errorf("task %d is %s after %d calls", n, task.State, calls[n].Load())
		}
	}
}

func engineGoesOn(w *world) {
	running, stopped := make(chan struct{}, 1), make(chan struct{})
	handlers := giving(func(ctx context.Context, n int) (int, error) {
		select {
		case <-stopped:
			return n, nil
		default:
		}
		running <- struct{}{}
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
	source := strings.Replace(oneStep, "limit: 1", "limit: 3", 1)
	one := w.open(source, handlers)
	if err := one.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	id := one.submit(map[string]int{"n": 5})
	<-running
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	if err := one.Stop(ctx); err != nil {
		w.Logf("the first engine's stop: %v", err)
	}
	close(stopped)
	two := w.open(source, handlers).run()
	if task := two.ends(id); task.State != tasker.TaskComplete || string(task.Steps[0].Result) != "5" || task.Steps[0].LostAttempts != 1 {
		w.Errorf("the task is %s with %s after %d lost attempts", task.State, task.Steps[0].Result, task.Steps[0].LostAttempts)
	}
}
