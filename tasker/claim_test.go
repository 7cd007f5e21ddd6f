package tasker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

func TestAWorkerWithVeryManySlotsFillsThemFromTheStore(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{4096, 5000} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			handlers := tasker.Handlers{"a": doing(func(context.Context) error { time.Sleep(time.Second); return nil })}
			const source = `steps: [{name: a, handler: {callable: a}}]`
			client := open(t, source, handlers, func(c *tasker.Config) { c.Store = store })
			first := client.submit()
			start(t, source, handlers, func(c *tasker.Config) { c.Store, c.Concurrency = store, slots })
			synctest.Wait()
			second := client.submit()
			began := time.Now()
			for _, id := range []tasker.ID{first, second} {
				if task := client.waits(id); task.State != tasker.TaskComplete {
					t.Errorf("with %d slots a task is %s", slots, task.State)
				}
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("with %d slots two tasks of a second take %v", slots, took)
			}
		})
	}
}
