package tasker_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

var ops = tasker.By{Actor: "ops", Reason: "a test"}

// must gives what an operator's call gives.
func (s shop) must(task *tasker.Task, err error) *tasker.Task {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return task
}

const oneQuestion = `
steps:
  - {name: ask, handler: {callable: ask}}
  - {name: pay, handler: {callable: pay}, dependencies: [ask]}
`

func asking(q tasker.Question) tasker.Handler {
	return tasker.Step(func(ctx context.Context, _ struct{}) (tasker.Approval, error) {
		return tasker.Ask[tasker.Approval](ctx, q)
	})
}

func TestAStepThatAsksIsParkedAndGoesOnInTheSameAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneQuestion, tasker.Handlers{"ask": asking(tasker.Question{Prompt: "may we?", Expires: time.Hour}), "pay": fine})
		id := s.submit()
		task := s.await(id)
		if step := task.Steps[0]; task.State != tasker.TaskWaiting || step.State != tasker.StepWaiting || string(step.Wait.Prompt) != `"may we?"` {
			t.Fatalf("the task is %s, its step %s with %v", task.State, step.State, step.Wait)
		}
		synctest.Wait() // until the worker has heard that the store has it
		if held := s.Stats().Held; held != 0 {
			t.Errorf("the worker holds %d tasks that only wait", held)
		}
		s.must(s.Answer(t.Context(), id, "ask", tasker.Approval{Approved: true}, ops))
		task = s.await(id)
		if step := task.Steps[0]; task.State != tasker.TaskComplete || step.Attempts != 1 || string(step.Result) != `{"approved":true}` {
			t.Errorf("the task is %s after %d attempts, with %s", task.State, step.Attempts, step.Result)
		}
	})
}

func TestAnAnswerNeedsNoWorkerAndOutlivesOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		handlers := tasker.Handlers{"ask": asking(tasker.Question{}), "pay": fine}
		on := func(c *tasker.Config) { c.Store = store }
		first := start(t, oneQuestion, handlers, on)
		id := first.submit()
		first.await(id)
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		client := open(t, oneQuestion, handlers, on)
		client.must(client.Answer(t.Context(), id, "ask", tasker.Approval{Approved: true, By: "anna"}, ops))
		if task := start(t, oneQuestion, handlers, on).waits(id); task.State != tasker.TaskComplete || task.Steps[0].Attempts != 1 {
			t.Errorf("the task is %s after %d attempts", task.State, task.Steps[0].Attempts)
		}
	})
}

func TestAQuestionThatNobodyAnswersInTimeFailsTheStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneQuestion, tasker.Handlers{"ask": asking(tasker.Question{Expires: 300 * time.Second}), "pay": fine})
		id := s.submit()
		s.await(id)
		began := time.Now()
		for s.task(id).State == tasker.TaskWaiting && time.Since(began) < time.Hour {
			time.Sleep(time.Second)
		}
		task := s.task(id)
		if e := task.Steps[0].Error; task.State != tasker.TaskBlocked || e == nil || e.Code != tasker.CodeExpired {
			t.Errorf("the task is %s with %v", task.State, e)
		}
		if late := time.Since(began) - 300*time.Second; late < 0 || late > 3*time.Second {
			t.Errorf("the wait was over %v after its time", late)
		}
		if _, err := s.Answer(t.Context(), id, "ask", true, ops); !errors.Is(err, tasker.ErrRefused) {
			t.Errorf("a late answer gets %v", err)
		}
	})
}

func TestAQuestionMayWaitAsLongAsTimeGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneQuestion, tasker.Handlers{"ask": asking(tasker.Question{Expires: math.MaxInt64}), "pay": fine})
		id := s.submit()
		if task := s.await(id); task.State != tasker.TaskWaiting {
			t.Fatalf("the task is %s with %v", task.State, task.Steps[0].Error)
		}
		time.Sleep(time.Hour)
		s.must(s.Answer(t.Context(), id, "ask", tasker.Approval{Approved: true}, ops))
		if task := s.waits(id); task.State != tasker.TaskComplete {
			t.Errorf("the task is %s", task.State)
		}
	})
}

func TestAHandlerThatGoesOnWithoutItsAnswerIsStopped(t *testing.T) {
	t.Parallel()
	s := start(t, oneQuestion, tasker.Handlers{"pay": fine, "ask": doing(func(ctx context.Context) error {
		_, _ = tasker.Ask[bool](ctx, tasker.Question{})
		return nil
	})})
	if e := s.run().Steps[0].Error; e == nil || e.Code != tasker.CodeWaitIgnored {
		t.Errorf("the step has %v", e)
	}
}

// family is an engine with a parent that makes a child and waits for it.
func family(t *testing.T, child tasker.Handler) shop {
	t.Helper()
	parse := func(source string) *template.Template {
		parsed, err := template.Parse("family.yaml", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	return start(t, oneQuestion, tasker.Handlers{
		"ask": fine, "pay": fine, "child": child,
		"door": tasker.OnSubmit(func(ctx context.Context, _ struct{}) (map[string]string, error) {
			return map[string]string{"caller": tasker.Current(ctx).Caller}, nil
		}),
		"make": tasker.Step(func(ctx context.Context, _ struct{}) (tasker.ID, error) {
			made, err := tasker.Submit(ctx, tasker.Request{Namespace: "money", Name: "refund", Context: map[string]any{"cents": 5}})
			return made.ID, err
		}),
		"wait": tasker.Step(func(ctx context.Context, in struct {
			Child tasker.ID `result:"make"`
		}) (string, error) {
			task, err := tasker.Await(ctx, in.Child, 0)
			if err != nil {
				return "", err
			}
			return task.State.String(), nil
		}),
	}, func(c *tasker.Config) {
		c.Templates = append(c.Templates,
			parse("name: parent\nnamespace_name: test\nversion: 1.0.0\nsteps: [{name: make, handler: {callable: make}}, {name: wait, handler: {callable: wait}, dependencies: [make]}]"),
			parse("name: refund\nnamespace_name: money\nversion: 1.0.0\non_failure: fail\ntask_handler: {callable: door}\nsteps: [{name: work, handler: {callable: child}}]"))
	})
}

func (s shop) submitParent() tasker.ID {
	s.t.Helper()
	made, err := s.Submit(s.t.Context(), tasker.Request{Namespace: "test", Name: "parent", Context: map[string]any{}, CorrelationID: "cs-1"})
	if err != nil {
		s.t.Fatal(err)
	}
	return made.ID
}

func (s shop) childOf(parent tasker.ID) tasker.Row {
	s.t.Helper()
	rows, err := s.Rows(s.t.Context(), tasker.Filter{Parent: parent})
	if err != nil || len(rows) != 1 {
		s.t.Fatalf("%d children, %v", len(rows), err)
	}
	return rows[0]
}

func TestATaskHandlerIsToldWhoseHandlerSubmits(t *testing.T) {
	t.Parallel()
	s := family(t, fine)
	parent := s.submitParent()
	s.await(parent)
	if got := string(s.task(s.childOf(parent).ID).Context); got != `{"caller":"test","cents":5}` {
		t.Errorf("the context of a sub-task is %s", got)
	}
	alone, err := s.Submit(t.Context(), tasker.Request{Namespace: "money", Name: "refund", Context: map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.task(alone.ID).Context); got != `{"caller":""}` {
		t.Errorf("the context of a task that no handler submits is %s", got)
	}
}

func TestAParentGoesOnOnceItsChildHasEndedInWhateverWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		child tasker.Handler
		want  string
	}{
		{"at once", fine, "complete"},
		{"after an hour", doing(func(ctx context.Context) error { time.Sleep(time.Hour); return nil }), "complete"},
		{"in error", doing(func(context.Context) error { return tasker.Permanent("NO", "no") }), "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := family(t, tt.child)
				id := s.submitParent()
				for !s.task(id).State.Final() {
					time.Sleep(time.Second)
				}
				task, child := s.task(id), s.childOf(id)
				if step := task.Steps[1]; task.State != tasker.TaskComplete || string(step.Result) != `"`+tt.want+`"` || step.Attempts != 1 {
					t.Errorf("the parent is %s with %s after %d attempts", task.State, step.Result, step.Attempts)
				}
				if child.CorrelationID != "cs-1" || child.Root != id {
					t.Errorf("the child has the correlation id %q and the root %s", child.CorrelationID, child.Root)
				}
			})
		})
	}
}

func TestCancelReachesTheChildrenWhenAskedTo(t *testing.T) {
	t.Parallel()
	for _, with := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := family(t, doing(func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(time.Hour):
					return nil
				}
			}))
			id := s.submitParent()
			time.Sleep(time.Minute) // the parent waits, the child runs
			var how []tasker.How
			if with {
				how = append(how, tasker.WithChildren)
			}
			if err := s.Cancel(t.Context(), id, ops, how...); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
			if got, want := s.childOf(id).State, map[bool]tasker.TaskState{true: tasker.TaskCancelled, false: tasker.TaskComplete}[with]; got != want {
				t.Errorf("with children %t, the child is %s", with, got)
			}
		})
	}
}

func TestABlockedTaskGoesOnByHand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		help func(s shop, id tasker.ID) (*tasker.Task, error)
		want tasker.StepState
	}{
		{"retry the step", func(s shop, id tasker.ID) (*tasker.Task, error) { return s.RetryStep(s.t.Context(), id, "ask", ops) }, tasker.StepComplete},
		{"retry the task", func(s shop, id tasker.ID) (*tasker.Task, error) { return s.RetryTask(s.t.Context(), id, ops) }, tasker.StepComplete},
		{"complete the step", func(s shop, id tasker.ID) (*tasker.Task, error) {
			return s.CompleteStep(s.t.Context(), id, "ask", "by hand", ops)
		}, tasker.StepComplete},
		{"resolve the step", func(s shop, id tasker.ID) (*tasker.Task, error) { return s.ResolveStep(s.t.Context(), id, "ask", ops) }, tasker.StepResolved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			s := start(t, oneQuestion, tasker.Handlers{"pay": fine, "ask": doing(func(context.Context) (err error) {
				once.Do(func() { err = tasker.Permanent("NO", "no") })
				return err
			})})
			id := s.submit()
			if task := s.await(id); task.State != tasker.TaskBlocked {
				t.Fatalf("the task is %s", task.State)
			}
			s.must(tt.help(s, id))
			for !s.task(id).State.Final() {
				time.Sleep(time.Millisecond)
			}
			task := s.task(id)
			if task.State != tasker.TaskComplete || task.Steps[0].State != tt.want || task.Steps[1].State != tasker.StepComplete {
				t.Errorf("the task is %s, its steps %s and %s", task.State, task.Steps[0].State, task.Steps[1].State)
			}
			history, err := s.History(t.Context(), id)
			if err != nil || !slices.ContainsFunc(history, func(r tasker.Record) bool {
				return slices.ContainsFunc(r.Events, func(e tasker.Event) bool { return e.Actor == "ops" && e.Reason == "a test" })
			}) {
				t.Errorf("the history does not say who did it and why (%v)", err)
			}
		})
	}
}

func TestAnObserverThatPanicsHarmsNeitherTheSubmitNorTheRunNorTheOperator(t *testing.T) {
	t.Parallel()
	s := start(t, oneQuestion, tasker.Handlers{"ask": asking(tasker.Question{Prompt: "may we?"}), "pay": fine}, func(c *tasker.Config) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.Observe = func(tasker.Row, tasker.Record) { panic("the observer is out of its mind") }
	})
	id := s.submit()
	s.await(id)
	s.must(s.Answer(t.Context(), id, "ask", tasker.Approval{Approved: true}, ops))
	if task := s.await(id); task.State != tasker.TaskComplete {
		t.Errorf("the task is %s", task.State)
	}
}
