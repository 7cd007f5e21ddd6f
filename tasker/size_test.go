package tasker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Each of its steps brings nearly a megabyte, and there are more than it may have.
func TestATaskGrowsToItsLimitAndNoFurtherWhoeverAddsToIt(t *testing.T) {
	t.Parallel()
	const steps = 70
	megabyte := strings.Repeat("x", 1<<20-2)
	source := manySteps(steps, "a")
	fits := func(t *testing.T, task *tasker.Task) {
		t.Helper()
		full, refused := 0, 0
		for i := range task.Steps {
			switch step := &task.Steps[i]; {
			case step.State == tasker.StepComplete, step.State == tasker.StepWaiting:
				full++
			case step.Error != nil && step.Error.Code == tasker.CodeResultTooLarge:
				refused++
			}
		}
		if full != tasker.MaxTaskBytes>>20-1 || refused == 0 { // with its context
			t.Errorf("of %d steps %d have something, and %d were refused", steps, full, refused)
		}
	}
	t.Run("by results", func(t *testing.T) {
		t.Parallel()
		s := start(t, source, tasker.Handlers{"a": giving(megabyte)}, func(c *tasker.Config) { c.Concurrency = 1 })
		task := s.run()
		if task.State != tasker.TaskBlocked {
			t.Errorf("the task is %s", task.State)
		}
		fits(t, task)
	})
	t.Run("by questions", func(t *testing.T) {
		t.Parallel()
		s := start(t, source, tasker.Handlers{"a": asking(tasker.Question{Prompt: megabyte})}, func(c *tasker.Config) { c.Concurrency = 1 })
		fits(t, s.run())
	})
	t.Run("by hand", func(t *testing.T) {
		t.Parallel()
		s := open(t, source, tasker.Handlers{"a": fine})
		id := s.submit()
		for i := range steps {
			_, err := s.CompleteStep(t.Context(), id, fmt.Sprintf("s%d", i), megabyte, ops)
			if fits := i < tasker.MaxTaskBytes>>20-1; fits != (err == nil) || !fits && !errors.Is(err, tasker.ErrRefused) {
				t.Fatalf("step %d gets %v", i, err)
			}
		}
	})
}
