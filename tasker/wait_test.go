package tasker_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// late is a store whose lists, once it is told so, show what is not so any more.
type late struct {
	tasker.Store
	on    atomic.Bool
	lists func(l *late, rows []tasker.Row) []tasker.Row
}

func (l *late) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	rows, err := l.Store.Rows(ctx, f)
	if err == nil && l.on.Load() {
		rows = l.lists(l, rows)
	}
	return rows, err
}

func TestWaitTakesNoTaskForRestingThatGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		awaits bool // it waits for another task, else it is at work
		lists  func(l *late, rows []tasker.Row) []tasker.Row
	}{
		"it waited when it was listed, and goes on when it is read": {false, func(l *late, rows []tasker.Row) []tasker.Row {
			l.on.Store(false)
			rows[0].State = tasker.TaskWaiting
			return rows
		}},
		"what it waits for is not there any more": {true, func(_ *late, rows []tasker.Row) []tasker.Row {
			return slices.DeleteFunc(rows, func(r tasker.Row) bool { return r.State == tasker.TaskInProgress })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var other tasker.ID
				handlers := tasker.Handlers{"a": tasker.Step(func(ctx context.Context, in struct {
					Awaits bool `context:"awaits"`
				}) (any, error) {
					if !in.Awaits {
						time.Sleep(10 * time.Second)
						return nil, nil
					}
					_, err := tasker.Await(ctx, other, 0)
					return nil, err
				})}
				store := &late{Store: memory.New(), lists: c.lists}
				start(t, oneStep, handlers, func(c *tasker.Config) { c.Store = store.Store })
				client := open(t, oneStep, handlers, func(c *tasker.Config) { c.Store = store })
				submit := func(awaits bool) tasker.ID {
					made, err := client.Submit(t.Context(), request(map[string]any{"awaits": awaits}))
					if err != nil {
						t.Fatal(err)
					}
					return made.ID
				}
				other = submit(false)
				id := other
				if c.awaits {
					id = submit(true)
				}
				time.Sleep(5 * time.Second) // one is at work, and the other waits for it
				store.on.Store(true)
				if task := client.waits(id); task.State != tasker.TaskComplete {
					t.Errorf("Wait gives the task while it is %s", task.State)
				}
			})
		})
	}
}
