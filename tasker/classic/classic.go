// Package classic runs handlers in the three-argument form of the older
// engines: Call(ctx, task, sequence, step). It is for people who migrate;
// new handlers read better as [tasker.Step].
package classic

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Handler does one step's work. Its errors are [tasker.Permanent] and
// [tasker.Retryable], which have the code, the retry_after and the context of
// the older engines; any other error is retryable.
type Handler interface {
	Call(ctx context.Context, task Task, sequence Sequence, step StepInfo) (Result, error)
}

// Result is what a handler hands on, with its metadata.
type Result struct {
	Value    any
	Metadata map[string]any
}

// Success is the result of a handler that succeeded.
func Success(value any, metadata map[string]any) Result { return Result{value, metadata} }

// Task is the task that a step belongs to.
type Task struct {
	ID      tasker.ID
	Context map[string]any // the task's input
	attempt *tasker.Attempt
}

// Get reads one key of the context into target; a missing key leaves it as it
// is.
func (t Task) Get(key string, target any) error {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(t.attempt.Context(), &parts); err != nil {
		return err
	}
	return read("context "+key, parts[key], target)
}

// Sequence gives the results of the steps before this one.
type Sequence struct{ attempt *tasker.Attempt }

// GetResults reads the result of a step that this one depends on, directly or
// not, into target. A permanent error says that there is none.
func (s Sequence) GetResults(step string, target any) error {
	raw, ok := s.attempt.Result(step)
	if !ok {
		return tasker.Permanent("MISSING_RESULT", "%s has no result for %s; is it among its dependencies?", step, s.attempt.Step)
	}
	return read("result of "+step, raw, target)
}

func read(what string, raw json.RawMessage, target any) error {
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, target); err != nil {
		return tasker.Permanent("UNREADABLE_INPUT", "%s: %w", what, err)
	}
	return nil
}

// StepInfo is the step that runs.
type StepInfo struct {
	Name           string
	Attempt, Limit int // from 1, and how many there may be
	Initialization map[string]any
}

// Step makes an engine's handler of a classic one.
func Step(h Handler) tasker.Handler {
	return tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
		a := tasker.Current(ctx)
		task := Task{ID: a.TaskID, attempt: a}
		if err := json.Unmarshal(a.Context(), &task.Context); err != nil {
			return nil, fmt.Errorf("the task's context: %w", err)
		}
		result, err := h.Call(ctx, task, Sequence{a}, StepInfo{a.Step, a.Number, a.Max, a.Initialization()})
		for key, value := range result.Metadata {
			tasker.Annotate(ctx, key, value)
		}
		return result.Value, err
	})
}
