package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Order is an order that was written.
type Order struct {
	Created      bool         `json:"order_created"`
	OrderID      string       `json:"order_id"`
	PaymentID    string       `json:"payment_id"`
	CustomerID   string       `json:"customer_id"`
	CustomerTier string       `json:"customer_tier"`
	OrderValue   money.Amount `json:"order_value"`
	ItemsCount   int          `json:"items_count"`
	CreatedAt    time.Time    `json:"created_at"`
}

type orderInput struct {
	CustomerID string    `context:"customer_id"`
	Tier       string    `context:"customer_tier"`
	Payment    Payment   `result:"process_payment"`
	Inventory  Inventory `result:"update_inventory"`
}

// CreateOrder writes the order. Running it again finds the order that is
// there.
func (s *Shop) CreateOrder(ctx context.Context, in orderInput) (Order, error) {
	if !in.Inventory.Updated {
		return Order{}, tasker.Permanent("INVENTORY_NOT_UPDATED", "the goods are not taken out of the stock")
	}
	return s.Orders.Create(ctx, tasker.Key(ctx), Order{
		PaymentID: in.Payment.PaymentID, CustomerID: in.CustomerID, CustomerTier: in.Tier,
		OrderValue: in.Payment.Amount, ItemsCount: in.Inventory.ItemsUpdated,
	})
}
