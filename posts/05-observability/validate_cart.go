package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// CartItem is one line of the cart.
type CartItem struct {
	SKU      string       `json:"sku"`
	Name     string       `json:"name"`
	Price    money.Amount `json:"price"`
	Quantity int64        `json:"quantity"`
}

// Cart is a cart that was added up: prices times quantities, without tax or
// shipping.
type Cart struct {
	Validated   bool         `json:"validated"`
	ItemCount   int          `json:"item_count"` // lines, not units
	Total       money.Amount `json:"cart_total"`
	ValidatedAt time.Time    `json:"validated_at"`
}

type cartInput struct {
	Items []CartItem `context:"cart_items"`
}

// ValidateCart adds up the cart.
func (s *Shop) ValidateCart(_ context.Context, in cartInput) (Cart, error) {
	if len(in.Items) == 0 {
		return Cart{}, tasker.Permanent("EMPTY_CART", "there is nothing in the cart")
	}
	cart := Cart{Validated: true, ItemCount: len(in.Items), ValidatedAt: time.Now().UTC()}
	for _, item := range in.Items {
		cart.Total += item.Price.Times(item.Quantity)
	}
	return cart, nil
}
