package tasker_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// A store lists a thousand rows at once.
func TestATaskMayAwaitMoreTasksThanAListHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const steps = 1100
		source := manySteps(steps, "child")
		var runs atomic.Int32
		s := start(t, source, tasker.Handlers{
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

// Every beat looks at those that wait for others, so there should be few.
func TestATaskThatWaitsForItsSubTasksOnlyIsNotAmongThoseThatABeatLooksAt(t *testing.T) {
	t.Parallel()
	wait := tasker.Step(func(ctx context.Context, in struct {
		On    tasker.ID `context:"on"`
		Child bool      `context:"child"`
	}) (any, error) {
		if in.Child {
			made, err := tasker.Submit(ctx, tasker.Request{Namespace: "test", Name: "t", Context: map[string]any{}})
			if err != nil {
				return nil, err
			}
			in.On = made.ID
		}
		if in.On.IsZero() {
			return tasker.Ask[string](ctx, tasker.Question{})
		}
		_, err := tasker.Await(ctx, in.On, 0)
		return nil, err
	})
	for _, child := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			awaits := map[tasker.ID][]tasker.ID{}
			store := &between{Store: memory.New(), append: func(appends []tasker.Append, pass pass) ([]tasker.Appended, error) {
				mu.Lock()
				defer mu.Unlock()
				for _, a := range appends {
					awaits[a.Task] = a.Awaits
				}
				return pass()
			}}
			s := start(t, `steps: [{name: wait, handler: {callable: wait}}]`, tasker.Handlers{"wait": wait}, func(c *tasker.Config) { c.Store = store })
			context := map[string]any{"child": child}
			if !child {
				context["on"] = s.submit()
			}
			made, err := s.Submit(t.Context(), request(context))
			if err != nil {
				t.Fatal(err)
			}
			s.waits(made.ID)
			mu.Lock()
			if looks := len(awaits[made.ID]) > 0; looks == child {
				t.Errorf("with a sub-task: %t, a beat looks: %t", child, looks)
			}
			mu.Unlock()
			on, _ := context["on"].(tasker.ID)
			if child {
				on = s.childOf(made.ID).ID
			}
			s.waits(on)
			s.must(s.Answer(t.Context(), on, "wait", "now", ops))
			time.Sleep(time.Minute)
			if task := s.task(made.ID); task.State != tasker.TaskComplete {
				t.Errorf("with a sub-task: %t, in the end the task is %s", child, task.State)
			}
		})
	}
}
