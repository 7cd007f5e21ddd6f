package main

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// rush is one team's flood beside the other team's daily work. All of it is by
// a simulated clock, by which a step of the flood takes nine seconds and one of
// the other team a second: what is measured is who waits for whom, and not how
// busy this machine is.
type rush struct {
	flood, floodInput string // the task that comes in hundreds
	calm, calmInput   string // the task of the other team
	until             string // the step of it at which that team has done its part
}

var rushes = map[string]rush{
	"payments is flooded": {
		flood: "payments/process_refund", floodInput: payment("pay_1", 100, mail),
		calm: "customer_success/process_refund", calmInput: ticket("ticket_1", "cust_gold_1", 4999), until: "execute_refund_workflow",
	},
	"customer_success is flooded": {
		flood: "customer_success/process_refund", floodInput: ticket("ticket_1", "cust_gold_1", 4999),
		calm: "payments/process_refund", calmInput: payment("pay_1", 100, mail), until: "notify_customer",
	},
}

// latencies gives the time that the slowest of the other team's tasks takes
// before the flood, and in the middle of it.
func (r rush) latencies(t *testing.T, options ...taskertest.Option) (calm, flooded time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		templates, handlers := everything(t, post.NewWorld())
		slow := func(c *tasker.Config) {
			c.Middleware = append(c.Middleware, func(next tasker.Runner) tasker.Runner {
				return func(ctx context.Context) (any, error) {
					time.Sleep(map[bool]time.Duration{true: 9 * time.Second, false: time.Second}[r.isFlood(ctx)])
					return next(ctx)
				}
			})
		}
		engine := taskertest.New(t, templates, handlers, taskertest.OnMemory(t), append(options, slow)...)
		engine.Patience = 10 * time.Hour
		slowest := func() (slowest time.Duration) {
			for range 20 {
				began := time.Now()
				engine.Await(engine.Submit(r.calm, json.RawMessage(r.calmInput)), r.until, tasker.StepComplete)
				slowest = max(slowest, time.Since(began))
			}
			return slowest
		}
		calm = slowest()
		for range 400 {
			engine.Submit(r.flood, json.RawMessage(r.floodInput))
		}
		time.Sleep(time.Second) // it is in full spate
		flooded = slowest()
	})
	return calm, flooded
}

func (r rush) isFlood(ctx context.Context) bool {
	a := tasker.Current(ctx)
	return a.Namespace+"/"+a.Name == r.flood
}

func TestAFloodOfOneTeamsTasksLeavesTheOthersLatencyWithinTwiceOfCalm(t *testing.T) {
	t.Parallel()
	shares := func(c *tasker.Config) { share(nil, c) }
	for name, r := range rushes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm, flooded := r.latencies(t, shares)
			t.Attr("calm", calm.String())
			t.Attr("flooded", flooded.String())
			if calm < time.Second || flooded > 2*calm {
				t.Errorf("a task takes %v when all is calm, and %v in the flood, which is more than twice that", calm, flooded)
			}
		})
	}
}

func TestWithoutSharesTheSameFloodMakesTheOtherTeamWait(t *testing.T) {
	t.Parallel()
	free := func(c *tasker.Config) { share(nil, c); c.NamespaceConcurrency = nil }
	calm, flooded := rushes["payments is flooded"].latencies(t, free)
	t.Logf("calm %v, in the flood %v", calm, flooded)
	const more = 30 * time.Second // how much more depends on whose turn it is
	t.Attr("more_than", more.String())
	if flooded <= more {
		t.Errorf("a task takes %v when all is calm, and %v in a flood that nothing holds back: the test above proves nothing", calm, flooded)
	}
}
