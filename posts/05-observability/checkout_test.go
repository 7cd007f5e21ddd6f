package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// 7.8, 1
func TestAGoodCheckoutIsOneTraceOfOneSubmitFiveAttemptsAndOneFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incident{}, asItIs)
		task := w.checkOut(string(example))
		synctest.Wait()
		submit, finish := w.spansOf(task, "tasker.task.submit", ""), w.spansOf(task, "tasker.task.finish", "")
		attempts := w.spansOf(task, "tasker.step.execute", "")
		if len(submit) != 1 || len(finish) != 1 || len(attempts) != 5 || task.State.String() != "complete" {
			t.Fatalf("the task is %s, with %d submits, %d attempts, %d finishes", task.State, len(submit), len(attempts), len(finish))
		}
		var before trace.SpanID
		for i, s := range attempts {
			if attr(s, "tasker.step.name") != stepNames[i] || s.Status().Code != codes.Ok || s.Parent().SpanID() != submit[0].SpanContext().SpanID() {
				t.Errorf("attempt %d is of %s, %v, parent %v", i, attr(s, "tasker.step.name"), s.Status(), s.Parent().SpanID())
			}
			if links := s.Links(); i > 0 && (len(links) != 1 || links[0].SpanContext.SpanID() != before) {
				t.Errorf("%s is not linked to the step before it: %v", stepNames[i], links)
			}
			before = s.SpanContext().SpanID()
		}
		if finish[0].Status().Code != codes.Ok || attr(finish[0], "tasker.correlation_id") != task.CorrelationID {
			t.Errorf("the finish has %v, %v", finish[0].Status(), finish[0].Attributes())
		}
		calls := w.spansOf(task, "stock.deduct", "")
		if len(calls) != 1 || calls[0].Parent().SpanID() != attempts[2].SpanContext().SpanID() {
			t.Errorf("the call of the stock is no child of its attempt: %v", calls)
		}
	})
}

func TestACustomerWhoSaysOnlyWhatTheyMustIsCountedLikeAnyOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incident{}, asItIs)
		task := w.checkOut(with(t, `{"customer_tier": null, "payment_method": null}`))
		synctest.Wait()
		w.holds(map[string]float64{
			`checkout_conversions_total{namespace="ecommerce"}`:                       1,
			`checkout_revenue_total{customer_tier="standard"}`:                        12997,
			`checkout_payments_total{outcome="success",payment_method="credit_card"}`: 1,
		})
		if got, want := w.journal.page(task.ID).Events, []string{"payment.processed", "order.created", "checkout.completed"}; !slices.Equal(got, want) {
			t.Errorf("the journal has read %q, want %q", got, want)
		}
	})
}

// 7.8, 2
func TestAStockThatHangsOnceIsCutOffAndTheCheckoutHeals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang-once"], asItIs)
		task := w.checkOut(string(example))
		synctest.Wait()
		attempts := w.spansOf(task, "tasker.step.execute", "update_inventory")
		if len(attempts) != 2 || len(w.spansOf(task, "tasker.step.execute", "")) != 6 {
			t.Fatalf("there are %d attempts of the stock's step", len(attempts))
		}
		first, second := attempts[0], attempts[1]
		if attr(first, "error.type") != "STEP_TIMEOUT" || attr(first, "tasker.step.outcome") != "timeout" || first.Status().Code != codes.Error ||
			attr(first, "tasker.step.attempt") != "1" || attr(second, "tasker.step.attempt") != "2" || second.Status().Code != codes.Ok {
			t.Errorf("the attempts have %v and %v", first.Attributes(), second.Attributes())
		}
		if took := first.EndTime().Sub(first.StartTime()); took != 15*time.Second {
			t.Errorf("the attempt that hung took %v, and 15s are its limit", took)
		}
		w.holds(map[string]float64{
			`tasker_step_retries_total{error_type="STEP_TIMEOUT",namespace="ecommerce",step="update_inventory",task="monitored_checkout"}`:           1,
			`tasker_step_duration_seconds_count{namespace="ecommerce",outcome="timeout",step="update_inventory",task="monitored_checkout"}`:          1,
			`tasker_step_duration_seconds_bucket{namespace="ecommerce",outcome="timeout",step="update_inventory",task="monitored_checkout",le="10"}`: 0,
			`tasker_step_duration_seconds_bucket{namespace="ecommerce",outcome="timeout",step="update_inventory",task="monitored_checkout",le="20"}`: 1,
			`tasker_tasks_finished_total{namespace="ecommerce",outcome="complete",task="monitored_checkout"}`:                                        1,
			`checkout_conversions_total{namespace="ecommerce"}`:                                                                                      1,
			`checkout_revenue_total{customer_tier="standard"}`:                                                                                       12997,
			`checkout_revenue_lost_total{customer_tier="standard"}`:                                                                                  0,
			`checkout_sla_total{met="true"}`:                                          1,
			`checkout_payments_total{outcome="success",payment_method="credit_card"}`: 1,
		})
		durations := 0.0
		for series, n := range samples(w.scraped("tasker_step_duration_seconds_count")) {
			if strings.Contains(series, "monitored_checkout") {
				durations += n
			}
		}
		if durations != 6 {
			t.Errorf("the histogram of steps counts %v, want all 6 attempts", durations)
		}
		want := []string{"warning inventory.failure", "warning performance.bottleneck"}
		if got := raised(w.Alerts); !slices.Equal(got, want) {
			t.Errorf("the alerts are %q, want %q", got, want)
		}
	})
}

func raised(l *AlertLog) (all []string) {
	for _, a := range l.All() {
		all = append(all, a.Level+" "+a.Name)
	}
	slices.Sort(all)
	return all
}

// 7.8, 3
func TestAStockThatHangsForGoodCostsTheOrderAndSaysWhatThatIsWorth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang"], asItIs)
		task := w.checkOut(string(premium))
		synctest.Wait()
		finish := w.spansOf(task, "tasker.task.finish", "")
		if len(finish) != 1 || finish[0].Status().Code != codes.Error || task.State.String() != "error" {
			t.Errorf("the task is %s, its finish %v", task.State, finish)
		}
		for step, want := range map[string]int{"update_inventory": 2, "create_order": 0, "send_confirmation": 0} {
			if got := w.spansOf(task, "tasker.step.execute", step); len(got) != want {
				t.Errorf("%s has %d spans, want %d", step, len(got), want)
			}
		}
		if undone := w.spansOf(task, "tasker.step.undo", ""); len(undone) != 2 {
			t.Errorf("%d steps were undone, want the payment and what may have left the stock", len(undone))
		}
		w.holds(map[string]float64{
			`checkout_failures_total{customer_tier="premium",error_type="STEP_TIMEOUT",failed_step="update_inventory",namespace="ecommerce"}`: 1,
			`checkout_revenue_lost_total{customer_tier="premium"}`:                                                                            9999,
			`tasker_step_exhausted_total{namespace="ecommerce",step="update_inventory",task="monitored_checkout"}`:                            1,
			`tasker_tasks_finished_total{namespace="ecommerce",outcome="error",task="monitored_checkout"}`:                                    1,
			`tasker_events_published_total{event="payment.processed",mode="broadcast",namespace="ecommerce"}`:                                 1,
			`tasker_events_published_total{event="order.created",mode="durable",namespace="ecommerce"}`:                                       0,
			`checkout_conversions_total{namespace="ecommerce"}`:                                                                               0,
		})
		page := w.journal.page(task.ID)
		if !slices.Equal(page.Events, []string{"payment.processed", "checkout.failed"}) || page.Lost != 9999 {
			t.Errorf("the journal holds %+v", page)
		}
		if got := raised(w.Alerts); !slices.Contains(got, "critical inventory.failure") {
			t.Errorf("the alerts are %q, and none is critical", got)
		}
	})
}

// 7.8, 4
func TestAnEmptyCartIsTriedOnceAndNeverAgain(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, with(t, `{"cart_items": []}`), "-env", "test", "-incident", "none")
	s := o.Step("validate_cart")
	if o.Exit != 1 || s.Attempts != 1 || s.Error == nil || s.Error.Kind != "permanent" || s.Error.Code != "EMPTY_CART" {
		t.Fatalf("exit %d, %+v", o.Exit, s)
	}
	for series := range o.Notes.Metrics {
		if strings.HasPrefix(series, "tasker_step_retries_total") || strings.HasPrefix(series, "tasker_step_exhausted_total") {
			t.Errorf("a permanent failure counts as %s", series)
		}
	}
	if got := o.Notes.Metrics[`checkout_failures_total{customer_tier="standard",error_type="EMPTY_CART",failed_step="validate_cart",namespace="ecommerce"}`]; got != 1 {
		t.Errorf("the failure is counted %v times", got)
	}
}

func TestTheContextSaysWhatTheCheckoutIsToTheBusiness(t *testing.T) {
	t.Parallel()
	for tier, want := range map[string]string{
		"premium":  `{"domain":"ecommerce","impact_level":"high","sla_tier":"premium"}`,
		"standard": `{"domain":"ecommerce","impact_level":"standard","sla_tier":"standard"}`,
	} {
		o := reader.Report(t, with(t, `{"correlation_id": "checkout_0123456789abcdef", "customer_tier": "`+tier+`"}`), "-env", "test", "-incident", "none")
		var context struct {
			Business      json.RawMessage `json:"business_context"`
			Target        string          `json:"monitoring_target"`
			CorrelationID string          `json:"correlation_id"`
		}
		if err := json.Unmarshal(o.Tasks[0].Context, &context); err != nil {
			t.Fatal(err)
		}
		var compact any
		_ = json.Unmarshal(context.Business, &compact)
		got, _ := json.Marshal(compact)
		if string(got) != want || context.Target != "checkout_workflow" || context.CorrelationID != "checkout_0123456789abcdef" || o.Tasks[0].CorrelationID != context.CorrelationID {
			t.Errorf("%s: the context is %s, the task's correlation id %s", tier, o.Tasks[0].Context, o.Tasks[0].CorrelationID)
		}
	}
	o := reader.Report(t, string(example), "-env", "test", "-incident", "none")
	if id := o.Tasks[0].CorrelationID; id != o.Tasks[0].ID || !strings.Contains(string(o.Tasks[0].Context), id) {
		t.Errorf("without one, the correlation id is %s, the task %s\n%s", id, o.Tasks[0].ID, o.Tasks[0].Context)
	}
}

func TestTheResultsOfAGoodCheckout(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-incident", "none")
	onceOnly(t, o)
	got := map[string]string{}
	for field, step := range map[string]string{
		"validated": "validate_cart", "item_count": "validate_cart", "cart_total": "validate_cart",
		"payment_successful": "process_payment", "amount": "process_payment", "payment_method": "process_payment",
		"inventory_updated": "update_inventory", "items_updated": "update_inventory",
		"order_created": "create_order", "order_value": "create_order", "customer_id": "create_order", "customer_tier": "create_order", "items_count": "create_order",
		"confirmation_sent": "send_confirmation", "sent_to": "send_confirmation", "template": "send_confirmation",
	} {
		got[field] = o.Result(t, step, field)
	}
	want := map[string]string{
		"validated": "true", "item_count": "2", "cart_total": "129.97",
		"payment_successful": "true", "amount": "129.97", "payment_method": `"credit_card"`,
		"inventory_updated": "true", "items_updated": "2",
		"order_created": "true", "order_value": "129.97", "customer_id": `"cust_12345"`, "customer_tier": `"standard"`, "items_count": "2",
		"confirmation_sent": "true", "sent_to": `"john@example.com"`, "template": `"order_confirmation"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the results (-want +got):\n%s", diff)
	}
	var items []UpdatedItem
	if err := json.Unmarshal([]byte(o.Result(t, "update_inventory", "updated_items")), &items); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]UpdatedItem{{"WIDGET-001", 2, 48}, {"GADGET-002", 1, 29}}, items); diff != "" {
		t.Errorf("what left the stock (-want +got):\n%s", diff)
	}
	for field, form := range map[string][2]string{"process_payment": {"payment_id", "pay_"}, "create_order": {"order_id", "order_"}, "send_confirmation": {"email_id", "email_"}} {
		if id := strings.Trim(o.Result(t, field, form[0]), `"`); !strings.HasPrefix(id, form[1]) || len(id) != len(form[1])+16 {
			t.Errorf("%s is %q", form[0], id)
		}
	}
	if o.Result(t, "create_order", "payment_id") != o.Result(t, "process_payment", "payment_id") || o.Result(t, "send_confirmation", "order_id") != o.Result(t, "create_order", "order_id") {
		t.Error("the ids do not go on from step to step")
	}
}

func TestTheOtherCustomersCartIsAddedUpToo(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(premium), "-env", "test", "-incident", "none")
	if o.Exit != 0 || o.Notes.Charged != 9999 || o.Notes.Stock["PREMIUM-001"] != 9 || o.Notes.Metrics[`checkout_revenue_total{customer_tier="premium"}`] != 9999 {
		t.Errorf("exit %d, %+v", o.Exit, o.Notes)
	}
}
