package tasker_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// A store lists a thousand rows at once.
func TestATaskMayAwaitMoreTasksThanAListHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const steps = 1100
		var source strings.Builder
		source.WriteString("steps:\n")
		for i := range steps {
			fmt.Fprintf(&source, "  - {name: s%d, handler: {callable: child}}\n", i)
		}
		var runs atomic.Int32
		s := start(t, source.String(), tasker.Handlers{
			"child": doing(func(ctx context.Context) error {
				if runs.Add(1) > 2*steps {
					return tasker.Permanent("AGAIN", "the handler is called again and again")
				}
				made, err := tasker.Submit(ctx, tasker.Request{Namespace: "test", Name: "child", Context: map[string]any{}})
				if err != nil {
					return err
				}
				_, err = tasker.Await(ctx, made.ID, 0)
				return err
			}),
			"work": doing(func(context.Context) error { time.Sleep(time.Hour); return nil }),
		}, func(c *tasker.Config) {
			c.Concurrency = 2 * steps
			child, err := template.Parse("child.yaml", []byte("name: child\nnamespace_name: test\nversion: 1.0.0\nsteps: [{name: work, handler: {callable: work}}]"))
			if err != nil {
				t.Fatal(err)
			}
			c.Templates = append(c.Templates, child)
		})
		id := s.submit()
		time.Sleep(time.Minute)
		if task := s.task(id); task.State != tasker.TaskWaiting || runs.Load() != steps {
			t.Errorf("while its sub-tasks run the task is %s after %d runs of its %d steps", task.State, runs.Load(), steps)
		}
		time.Sleep(time.Hour)
		if task := s.task(id); task.State != tasker.TaskComplete || runs.Load() != 2*steps {
			t.Errorf("after its sub-tasks the task is %s after %d runs of its %d steps", task.State, runs.Load(), steps)
		}
	})
}
