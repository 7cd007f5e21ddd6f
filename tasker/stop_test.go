package tasker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// A loop that turns without rest would stop the clock of the bubble for good.
func TestAWorkerThatStopsRestsUntilItsHandlersAreDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{
			"a": doing(func(context.Context) error { time.Sleep(time.Hour); return nil }),
		}, func(c *tasker.Config) { c.Retention = tasker.Retention{Tasks: 24 * time.Hour} }) // what ended is looked for every minute
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := s.submit()
		synctest.Wait()
		began := time.Now()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if task := s.task(id); task.State != tasker.TaskComplete || time.Since(began) != time.Hour {
			t.Errorf("after %v the task is %s", time.Since(began), task.State)
		}
	})
}
