package main

import (
	"context"
	"errors"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// stepContext gives the context that the engine would give a step.
func stepContext(t *testing.T, step string) context.Context {
	t.Helper()
	return tasker.WithAttempt(t.Context(), &tasker.Attempt{TaskID: tasker.ID{1}, RootID: tasker.ID{1}, Step: step, Number: 1, Max: 2})
}

// What a step finds when somebody has resolved the one before it by hand.
func TestAStepWithoutTheResultBeforeItIsAPermanentFailure(t *testing.T) {
	t.Parallel()
	s := newShop(post.NewWorld(), incident{})
	address := "john@example.com"
	for code, call := range map[string]func() error{
		"CART_NOT_VALIDATED": func() error {
			_, err := s.ProcessPayment(stepContext(t, "process_payment"), paymentInput{})
			return err
		},
		"PAYMENT_NOT_SUCCESSFUL": func() error {
			_, err := s.UpdateInventory(stepContext(t, "update_inventory"), inventoryInput{})
			return err
		},
		"INVENTORY_NOT_UPDATED": func() error {
			_, err := s.CreateOrder(stepContext(t, "create_order"), orderInput{})
			return err
		},
		"MISSING_ORDER": func() error {
			_, err := s.SendConfirmation(stepContext(t, "send_confirmation"), confirmInput{Email: &address})
			return err
		},
	} {
		var verdict *tasker.Error
		if err := call(); !errors.As(err, &verdict) || verdict.Kind != tasker.KindPermanent || verdict.Code != code {
			t.Errorf("the error is %v, want %s, permanent", err, code)
		}
	}
}

func TestWhatIsUndoneComesTooLateAfterwards(t *testing.T) {
	t.Parallel()
	s := newShop(post.NewWorld(), incident{})
	ctx := stepContext(t, "any")
	items := []CartItem{{SKU: "WIDGET-001", Price: 100, Quantity: 2}}
	refund, err := s.RefundPayment(ctx, noInput{}, nil)
	if err != nil || refund.Amount != 0 {
		t.Errorf("nothing was charged, and %v went back (%v)", refund.Amount, err)
	}
	restored, err := s.RestoreInventory(ctx, noInput{}, nil)
	if err != nil || len(restored.Items) != 0 {
		t.Errorf("nothing was taken, and %v went back (%v)", restored.Items, err)
	}
	cancelled, err := s.CancelOrder(ctx, noInput{}, nil)
	if err != nil || cancelled.OrderID != "" {
		t.Errorf("nothing was written, and %v was cancelled (%v)", cancelled.OrderID, err)
	}
	_, charge := s.ProcessPayment(ctx, paymentInput{Cart: Cart{Validated: true, Total: 200}})
	_, take := s.UpdateInventory(ctx, inventoryInput{Payment: Payment{Successful: true}, Items: items})
	_, write := s.CreateOrder(ctx, orderInput{Inventory: Inventory{Updated: true}})
	for code, err := range map[string]error{"PAYMENT_CLOSED": charge, "STOCK_CLOSED": take, "ORDER_CANCELLED": write} {
		var verdict *tasker.Error
		if !errors.As(err, &verdict) || verdict.Code != code {
			t.Errorf("what comes after its undoing ends by %v, want %s", err, code)
		}
	}
}

func TestTheSharedHangIsCutOffAtTheStepsLimitToo(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-incident", "none", "-hang", "update_inventory=20s")
	onceOnly(t, o)
	if s := o.Step("update_inventory"); s.Attempts != 2 || o.Notes.Metrics[`tasker_step_retries_total{error_type="STEP_TIMEOUT",namespace="ecommerce",step="update_inventory",task="monitored_checkout"}`] != 1 {
		t.Errorf("%+v, %v", s, o.Notes.Metrics)
	}
}
