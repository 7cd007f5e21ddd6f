package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// What undoes a step asks by the step's key, and not by its result: where an
// answer was lost there is no result, and the money may have moved all the
// same. [tasker.Key] is here the key of the step that is undone. The last
// parameter is that step's result, nil where there is none.

type noInput struct{}

// Refund is money that went back to the card.
type Refund struct {
	RefundID  string       `json:"refund_id,omitempty"` // none where nothing had been charged
	PaymentID string       `json:"payment_id,omitempty"`
	Amount    money.Amount `json:"amount_refunded"`
}

// Refund gives back the charge, if there was one.
func (s *Shop) Refund(ctx context.Context, _ noInput, _ *Payment) (Refund, error) {
	refund, err := s.Gateway.Refund(ctx, tasker.Key(ctx))
	return Refund{refund.TransactionID, refund.PaymentID, refund.Amount}, err
}

// Released is stock that went back to the shelves.
type Released struct {
	TotalReleased int64 `json:"total_items_released"`
}

// ReleaseStock gives back what was reserved, if anything was.
func (s *Shop) ReleaseStock(ctx context.Context, _ noInput, _ *Inventory) (Released, error) {
	reservation, err := s.Stock.Release(ctx, tasker.Key(ctx))
	var released Released
	for _, l := range reservation.Lines {
		released.TotalReleased += l.Quantity
	}
	return released, err
}

// CancelledOrder is an order that was taken back.
type CancelledOrder struct {
	OrderNumber string `json:"order_number,omitempty"` // none where no order had been written
}

// CancelOrder takes the order back, if it was written.
func (s *Shop) CancelOrder(ctx context.Context, _ noInput, _ *Order) (CancelledOrder, error) {
	order, err := s.Orders.Cancel(ctx, tasker.Key(ctx))
	return CancelledOrder{order.OrderNumber}, err
}
