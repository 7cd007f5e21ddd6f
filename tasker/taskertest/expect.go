package taskertest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Task is a task that has ended, or rests in a state that it does not leave by
// itself, and what a test expects of it. An expectation that is not met fails
// the test, which goes on; the first one shows the task's history.
type Task struct {
	*tasker.Task
	engine *Engine
	told   bool // the history was shown
}

// Expect waits until a task has ended or come to rest. The test ends at once
// when that takes longer than its patience.
func (s *Engine) Expect(id tasker.ID) *Task {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.Patience)
	defer cancel()
	began := time.Now()
	task, err := s.client.Wait(ctx, id)
	if err != nil {
		s.t.Fatalf("task %s has not ended after %v: %v\n%s", id, time.Since(began).Round(time.Millisecond), err, s.history(id))
	}
	return &Task{Task: task, engine: s}
}

// Complete expects that the task is complete.
func (e *Task) Complete() *Task {
	e.engine.t.Helper()
	return e.Is(tasker.TaskComplete)
}

// Is expects the task to be in a state.
func (e *Task) Is(state tasker.TaskState) *Task {
	e.engine.t.Helper()
	if e.State != state {
		e.fail("the task is %s, not %s", e.State, state)
	}
	return e
}

// Step is one step of a task, and what a test expects of it.
type Step struct {
	of *Task
	*tasker.TaskStep
}

// Step speaks of a step. The test ends at once when there is none of the name.
func (e *Task) Step(name string) *Step {
	e.engine.t.Helper()
	step := stepOf(e.Task, name)
	if step == nil {
		e.engine.t.Fatalf("task %s/%s has no step %q; it has %s", e.Namespace, e.Name, name, stepNames(e.Task))
	}
	return &Step{e, step}
}

// Step speaks of another step of the same task.
func (e *Step) Step(name string) *Step { e.of.engine.t.Helper(); return e.of.Step(name) }

// Completed expects that the step is complete.
func (e *Step) Completed() *Step {
	e.of.engine.t.Helper()
	if e.State != tasker.StepComplete {
		e.of.fail("%s is %s, not complete", e.describe(), e.State)
	}
	return e
}

// Failed expects that the step has failed for good, with a code.
func (e *Step) Failed(code string) *Step {
	e.of.engine.t.Helper()
	switch {
	case e.State != tasker.StepError:
		e.of.fail("%s is %s; it should have failed with %s", e.describe(), e.State, code)
	case e.Error.Code != code:
		e.of.fail("%s has failed with %s, not with %s", e.describe(), e.Error.Code, code)
	}
	return e
}

// After expects that the step took so many attempts, without those that were
// lost with a worker.
func (e *Step) After(attempts int) *Step {
	e.of.engine.t.Helper()
	if e.Attempts != attempts {
		e.of.fail("%s took %d attempts, not %d", e.describe(), e.Attempts, attempts)
	}
	return e
}

// NeverStarted expects that no attempt of the step has begun.
func (e *Step) NeverStarted() *Step {
	e.of.engine.t.Helper()
	if started := e.Attempts + e.LostAttempts; started > 0 {
		e.of.fail("%s was started %d times; it should never have been", e.describe(), started)
	}
	return e
}

// Gave expects a result, which is compared as JSON.
func (e *Step) Gave(want any) *Step {
	e.of.engine.t.Helper()
	wanted, err := json.Marshal(want)
	if err != nil {
		e.of.engine.t.Fatalf("the result that %s should give is not JSON: %v", e.describe(), err)
	}
	if diff := cmp.Diff(decoded(wanted), decoded(e.Result)); diff != "" {
		e.of.fail("%s gave another result than it should (- wanted, + given):\n%s", e.describe(), diff)
	}
	return e
}

// decoded is JSON as a value that can be compared; nil where there is none.
func decoded(raw json.RawMessage) (v any) {
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &v); err != nil {
			return err.Error()
		}
	}
	return v
}

func (e *Step) describe() string { return "step " + e.Name }

func (e *Task) fail(format string, args ...any) {
	e.engine.t.Helper()
	text := fmt.Sprintf("%s/%s %s: ", e.Namespace, e.Name, e.ID) + fmt.Sprintf(format, args...)
	if !e.told {
		text += "\n" + e.engine.history(e.ID)
		e.told = true
	}
	e.engine.t.Error(text)
}
