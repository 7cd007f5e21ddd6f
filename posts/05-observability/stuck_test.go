package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// noLimit takes the limit out of the step that hangs: nothing cuts it off.
func noLimit(template string) string {
	return strings.ReplaceAll(template, "    timeout_seconds: 15\n", "")
}

func TestACheckoutThatHangsIsNoFailureAnywhereAndTheStoreKnowsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang"], noLimit)
		id := w.submit(string(example))
		time.Sleep(9 * time.Minute)
		w.holds(map[string]float64{`checkout_tasks_idle{namespace="ecommerce"}`: 0})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		failures := 0
		for series, value := range samples(w.scraped("tasker_step_retries", "tasker_step_exhausted", "tasker_tasks_finished", "checkout_failures", "checkout_revenue_lost", "checkout_conversions")) {
			if value != 0 {
				failures++
				t.Errorf("%s is %v: a checkout that hangs was counted", series, value)
			}
		}
		for _, line := range w.Lines.Of("{") {
			if !strings.Contains(line, `"level":"INFO"`) {
				t.Errorf("there is a log line: %s", line)
			}
		}
		if alerts := w.Alerts.All(); len(alerts) != 0 {
			t.Errorf("an alert was raised: %v", alerts)
		}
		spans := 0
		for _, s := range w.Spans.Trace(id.String()) { // a span is told when it has ended
			if attr(s, "tasker.step.name") == "update_inventory" || s.Name() == "tasker.task.finish" {
				spans++
				t.Errorf("there is the span %s", nameOf(s))
			}
		}
		w.holds(map[string]float64{`tasker_tasks_active{namespace="ecommerce"}`: 1, `checkout_tasks_idle{namespace="ecommerce"}`: 1})
		t.Attr("failures", strconv.Itoa(failures))
		t.Attr("alerts", strconv.Itoa(len(w.Alerts.All())))
		t.Attr("spans", strconv.Itoa(spans))
		t.Attr("idle", fmt.Sprint(samples(w.scraped("checkout_tasks_idle"))[`checkout_tasks_idle{namespace="ecommerce"}`]))
	})
}

func TestTheFragileCheckoutHangsAndNobodyIsCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, giveUp := context.WithCancel(t.Context())
		shop := newShop(post.NewWorld(), incidents["hang"])
		monitor, logs := &fragileMonitor{counts: map[string]int{}}, &LogShelf{}
		items := []CartItem{{SKU: "WIDGET-001", Price: 4999, Quantity: 2}}
		ended := make(chan error, 1)
		go func() {
			ended <- shop.fragileCheckout(ctx, monitor, slog.New(slog.NewJSONHandler(logs, nil)), items, "john@example.com")
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"checkout.started": 1, "payment.success": 1}, monitor.counts); diff != "" {
			t.Errorf("after an hour the counters are (-want +got):\n%s", diff)
		}
		if len(monitor.calls) != 0 {
			t.Errorf("somebody was called: %v", monitor.calls)
		}
		if lines := logs.Of("john@example.com"); len(lines) != 1 || len(logs.Of("{")) != 1 {
			t.Errorf("the log has %q; it should be of no use, and have the address in it", logs.Of("{"))
		}
		t.Attr("started", strconv.Itoa(monitor.counts["checkout.started"]))
		t.Attr("failed", strconv.Itoa(monitor.counts["checkout.failed"]))
		t.Attr("calls", strconv.Itoa(len(monitor.calls)))
		t.Attr("lines", strconv.Itoa(len(logs.Of("{"))))
		giveUp()
		<-ended
	})
}

func TestTheFragileCheckoutForgetsAFailure(t *testing.T) {
	t.Parallel()
	shop := newShop(post.NewWorld(), incidents["mail"])
	monitor := &fragileMonitor{counts: map[string]int{}}
	err := shop.fragileCheckout(t.Context(), monitor, slog.New(slog.DiscardHandler), []CartItem{{SKU: "WIDGET-001", Price: 4999, Quantity: 1}}, "john@example.com")
	if err != nil || monitor.counts["checkout.completed"] != 1 || len(monitor.calls) != 0 {
		t.Errorf("%v, %v", err, monitor.counts)
	}
}
