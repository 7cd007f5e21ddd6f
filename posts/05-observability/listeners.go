package main

import (
	"context"
	"errors"

	"github.com/tasker-systems/tasker-go/tasker"
)

// listen has all who want domain events hear of those of an engine, each for
// one purpose, until stop. A subscriber that is slow, fails or panics harms
// nobody.
func (t *Telemetry) listen(e *tasker.Engine, j *Journal) (stop func(), err error) {
	for _, s := range []tasker.Subscription{
		{Name: "business-metrics", Pattern: "checkout.completed", Handle: t.Business.Completed},
		{Name: "payment-metrics", Pattern: "payment.attempted", Handle: t.Business.Charged},
		{Name: "inventory-alerts", Pattern: "inventory.update_failed", Handle: InventoryAlerts{t.Alerts}.Failed},
	} {
		if _, err := e.Subscribe(s); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- e.Consume(ctx, tasker.Consumer{Name: "journal." + j.tag, Pattern: "*", Handle: j.Book})
	}()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Log.Error("the journal has stopped reading", "error_type", "CONSUMER_STOPPED")
		}
	}, nil
}
