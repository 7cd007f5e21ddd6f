package main

import (
	"context"
	"errors"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Inventory is what was taken out of the stock.
type Inventory struct {
	Updated      bool          `json:"inventory_updated"`
	ItemsUpdated int           `json:"items_updated"`
	Items        []UpdatedItem `json:"updated_items"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

// UpdatedItem is one product of it.
type UpdatedItem struct {
	SKU              string `json:"sku"`
	QuantityDeducted int64  `json:"quantity_deducted"`
	NewStockLevel    int64  `json:"new_stock_level"`
}

type inventoryInput struct {
	Payment Payment    `result:"process_payment"`
	Items   []CartItem `context:"cart_items"`
}

// UpdateInventory takes the goods out of the stock. How long it may wait for
// the stock is not its business: its context ends in time.
func (s *Shop) UpdateInventory(ctx context.Context, in inventoryInput) (Inventory, error) {
	if !in.Payment.Successful {
		return Inventory{}, tasker.Permanent("PAYMENT_NOT_SUCCESSFUL", "nothing leaves the stock without a payment")
	}
	taken, err := s.Stock.Deduct(ctx, tasker.Key(ctx), in.Items)
	var short *ShortError
	switch {
	case errors.As(err, &short):
		return Inventory{}, tasker.Permanent("OUT_OF_STOCK", "%w", err).
			With("sku", short.SKU).With("available", short.Available).With("wanted", short.Wanted)
	case errors.Is(err, ErrUnavailable):
		return Inventory{}, tasker.Retryable("STOCK_UNAVAILABLE", "%w", err)
	case err != nil:
		return Inventory{}, err
	}
	return Inventory{true, len(taken.Items), taken.Items, taken.At}, nil
}
