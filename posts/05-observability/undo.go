package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// What undoes a step asks by the step's key, as in post 01: where an attempt
// hung there is no result, and nobody knows what was done.

type noInput struct{}

// Refund is money that went back.
type Refund struct {
	Amount money.Amount `json:"amount_refunded"` // 0 where nothing had been charged
}

// RefundPayment gives back the charge, if there was one.
func (s *Shop) RefundPayment(ctx context.Context, _ noInput, _ *Payment) (Refund, error) {
	amount, err := s.Gateway.Refund(ctx, tasker.Key(ctx))
	return Refund{amount}, err
}

// Restored is stock that went back to the shelves.
type Restored struct {
	Items []UpdatedItem `json:"restored_items"`
}

// RestoreInventory puts back what was taken, if anything was.
func (s *Shop) RestoreInventory(ctx context.Context, _ noInput, _ *Inventory) (Restored, error) {
	items, err := s.Stock.Restore(ctx, tasker.Key(ctx))
	return Restored{items}, err
}

// Cancelled is an order that was taken back.
type Cancelled struct {
	OrderID string `json:"order_id,omitempty"` // none where no order had been written
}

// CancelOrder takes the order back, if it was written.
func (s *Shop) CancelOrder(ctx context.Context, _ noInput, _ *Order) (Cancelled, error) {
	id, err := s.Orders.Cancel(ctx, tasker.Key(ctx))
	return Cancelled{id}, err
}
