package taskertest_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Two versions of a workflow, as a deployment has them for a while: the new
// one has lost a step, has got another, and does one in another way.
const (
	oldCheckout = `
name: checkout
namespace_name: versions
version: 1.0.0
steps:
  - {name: price, handler: {callable: price_by_list}}
  - {name: charge, handler: {callable: charge}, dependencies: [price]}
  - {name: fax, handler: {callable: fax}, dependencies: [charge]}
`
	newCheckout = `
name: checkout
namespace_name: versions
version: 2.0.0
steps:
  - {name: price, handler: {callable: price_by_market}}
  - {name: screen, handler: {callable: screen}, dependencies: [price]}
  - {name: charge, handler: {callable: charge}, dependencies: [price, screen]}
`
)

// A census counts which step of which version ran on which worker.
type census struct {
	mu   sync.Mutex
	runs map[string]int
}

// worker starts a worker that has one version and its handlers.
func (c *census) worker(t *testing.T, store tasker.Store, name, text string) *taskertest.Engine {
	t.Helper()
	checkout, err := template.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	handlers := tasker.Handlers{}
	for _, step := range checkout.Steps {
		handlers[step.Handler.Callable] = tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.runs[name+" worker runs "+step.Handler.Callable+" for "+tasker.Current(ctx).Step]++
			return nil, nil
		})
	}
	return taskertest.New(t, []*template.Template{checkout}, handlers, store, func(c *tasker.Config) { c.Lease, c.Poll = time.Second, 50*time.Millisecond })
}

func TestTwoVersionsRunSideBySideEachWhereItsHandlersAre(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		c := &census{runs: map[string]int{}}
		workers := []*taskertest.Engine{c.worker(t, store, "the old", oldCheckout), c.worker(t, store, "the new", newCheckout)}
		var ids []tasker.ID
		for i := range 200 {
			ids = append(ids, workers[i%2].Submit("versions/checkout", map[string]any{"order": i}))
		}
		for i, id := range ids {
			task := workers[(i+1)%2].Expect(id).Complete() // whoever is asked
			if want := []string{"1.0.0", "2.0.0"}[i%2]; task.Version != want {
				t.Errorf("task %d began with version %s, and ended with %s", i, want, task.Version)
			}
			for _, step := range task.Steps {
				if step.Attempts != 1 {
					t.Errorf("step %s of task %d was tried %d times", step.Name, i, step.Attempts)
				}
			}
		}
		want := map[string]int{
			"the old worker runs price_by_list for price":   100,
			"the old worker runs charge for charge":         100,
			"the old worker runs fax for fax":               100,
			"the new worker runs price_by_market for price": 100,
			"the new worker runs screen for screen":         100,
			"the new worker runs charge for charge":         100,
		}
		if diff := cmp.Diff(want, c.runs); diff != "" {
			t.Errorf("what ran where (-want +got):\n%s", diff)
		}
	})
}

func TestATaskThatNoLivingWorkerCanRunIsReportedUntilOneComes(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		c := &census{runs: map[string]int{}}
		old, current := c.worker(t, store, "the old", oldCheckout), c.worker(t, store, "the new", newCheckout)
		old.Crash()
		stranded, fine := old.Submit("versions/checkout", map[string]any{}), current.Submit("versions/checkout", map[string]any{})
		current.Expect(fine).Complete()

		listed := func() bool {
			rows, err := current.Rows(t.Context(), tasker.Filter{NoWorker: true})
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(rows, func(r tasker.Row) bool { return r.ID == stranded })
		}
		for began := time.Now(); !listed(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal("the dead worker's lease is over, and its task is not listed as one without a worker")
			}
		}
		c.worker(t, store, "another old", oldCheckout).Expect(stranded).Complete()
		if listed() {
			t.Error("the task is complete, and listed as one without a worker")
		}
	})
}
