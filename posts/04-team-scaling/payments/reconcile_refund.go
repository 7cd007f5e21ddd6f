package payments

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

type noInput struct{}

// Reconciliation is a refund that the books may not know; it is empty where no
// money has moved.
type Reconciliation struct {
	RefundID  string      `json:"refund_id,omitempty"`
	PaymentID string      `json:"payment_id,omitempty"`
	Amount    money.Cents `json:"refund_amount"`
}

// ReconcileRefund is what follows when a refund cannot be finished after its
// money may have moved: it stands in the template where an undoing would. A
// refund is not taken back from a customer, so what there is to do is to find
// it, by the step's key and not by a result that may be lost, and to hand it
// by its id to the people who keep the books.
func (d *Desk) ReconcileRefund(ctx context.Context, _ noInput, _ *GatewayRefund) (Reconciliation, error) {
	refund, found, err := d.Gateway.Find(ctx, tasker.Key(ctx))
	if err != nil || !found {
		return Reconciliation{}, err
	}
	if err := d.Books.Reconcile(ctx, refund); err != nil {
		return Reconciliation{}, err
	}
	return Reconciliation{RefundID: refund.ID, PaymentID: refund.PaymentID, Amount: refund.Amount}, nil
}
