package tasker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// saga is a chain of three steps, each with its undoing.
const saga = `
on_failure: compensate
steps:
  - {name: a, handler: {callable: do}, compensate: {callable: undo}}
  - {name: b, handler: {callable: do}, dependencies: [a], compensate: {callable: undo, retry: {limit: 2, backoff_base_ms: 10}}, retry: {limit: 2, backoff_base_ms: 10}}
  - {name: c, handler: {callable: do}, dependencies: [b], compensate: {callable: undo}, retry: {limit: 2, backoff_base_ms: 10}}
`

// diary notes what is done and undone, and fails what it is told to.
type diary struct {
	mu    sync.Mutex
	notes []string
	fail  map[string]error
}

func (d *diary) note(ctx context.Context, text string) error {
	a := tasker.Current(ctx)
	if a.Undo {
		text = "undo " + a.Step + text
	} else {
		text = a.Step
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, text)
	return d.fail[strings.TrimSuffix(text, " of nothing")]
}

func (d *diary) handlers() tasker.Handlers {
	return tasker.Handlers{
		"do": tasker.Step(func(ctx context.Context, _ struct{}) (string, error) { return "done", d.note(ctx, "") }),
		"undo": tasker.Undo(func(ctx context.Context, _ struct{}, result *string) (string, error) {
			if tasker.Key(ctx) != tasker.KeyOf(ctx, tasker.Current(ctx).Step) {
				return "", errors.New("the key is not the step's")
			}
			if result == nil {
				return "undone", d.note(ctx, " of nothing")
			}
			return "undone", d.note(ctx, "")
		}),
	}
}

func TestWhatATaskDidIsUndoneInReverseOrderWhenItCannotComplete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		fail map[string]error
		want []string
	}{
		{"a step knows that it did nothing", map[string]error{"c": tasker.Permanent("NO", "no")},
			[]string{"a", "b", "c", "undo b", "undo a"}},
		{"nobody knows what a step did", map[string]error{"c": errors.New("timeout")},
			[]string{"a", "b", "c", "c", "undo c of nothing", "undo b", "undo a"}},
		{"the first step fails", map[string]error{"a": tasker.Permanent("NO", "no")}, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &diary{fail: tt.fail}
			task := start(t, saga, d.handlers()).run()
			if task.State != tasker.TaskError || !slices.Equal(d.notes, tt.want) {
				t.Errorf("the task is %s after %q, want %q", task.State, d.notes, tt.want)
			}
			for i := range task.Steps {
				if undo := task.Steps[i].Compensation; undo != nil && (undo.State != tasker.StepComplete || string(undo.Result) != `"undone"`) {
					t.Errorf("the undoing of %s is %s with %s", task.Steps[i].Name, undo.State, undo.Result)
				}
			}
		})
	}
}

func TestAnUndoingThatFailsForGoodBlocksTheTaskUntilAnOperatorHelps(t *testing.T) {
	t.Parallel()
	d := &diary{fail: map[string]error{"c": tasker.Permanent("NO", "no"), "undo b": errors.New("the bank is closed")}}
	s := start(t, saga, d.handlers())
	id := s.submit()
	task := s.await(id)
	if undo := task.Steps[1].Compensation; task.State != tasker.TaskBlocked || undo == nil || undo.State != tasker.StepError || undo.Attempts != 2 || slices.Contains(d.notes, "undo a") {
		t.Fatalf("the task is %s after %q, the undoing is %+v", task.State, d.notes, undo)
	}
	if err := s.Cancel(t.Context(), id, ops); !errors.Is(err, tasker.ErrRefused) {
		t.Errorf("to cancel what is being undone gets %v", err)
	}
	d.mu.Lock()
	delete(d.fail, "undo b")
	d.mu.Unlock()
	s.must(s.RetryStep(t.Context(), id, "b", ops))
	for !s.task(id).State.Final() {
		time.Sleep(time.Millisecond)
	}
	if task := s.task(id); task.State != tasker.TaskError || d.notes[len(d.notes)-1] != "undo a" {
		t.Errorf("the task is %s after %q", task.State, d.notes)
	}
}

func TestCancelUndoesOnlyWhenAskedTo(t *testing.T) {
	t.Parallel()
	for _, with := range []bool{true, false} {
		d := &diary{fail: map[string]error{"c": tasker.Retryable("LATER", "later").After(time.Hour)}}
		s := start(t, saga, d.handlers())
		id := s.submit()
		for s.task(id).State != tasker.TaskWaitingForRetry {
			time.Sleep(time.Millisecond)
		}
		var how []tasker.How
		want := []string{"a", "b", "c"}
		if with {
			how, want = append(how, tasker.WithUndo), append(want, "undo c of nothing", "undo b", "undo a")
		}
		if err := s.Cancel(t.Context(), id, ops, how...); err != nil {
			t.Fatal(err)
		}
		for !s.task(id).State.Final() {
			time.Sleep(time.Millisecond)
		}
		if task := s.task(id); task.State != tasker.TaskCancelled || !slices.Equal(d.notes, want) {
			t.Errorf("with undo %t, the task is %s after %q", with, task.State, d.notes)
		}
	}
}
