package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Orders is a simulated order book. An order is found again by its key.
type Orders struct{ book *post.Kept[OrderBook] }

// OrderBook is what Orders remembers, by key.
type OrderBook map[string]BookedOrder

// BookedOrder is an order, or the place of one that must not be written any
// more.
type BookedOrder struct {
	Order     Order
	Cancelled bool
}

func newOrders(w *post.World) *Orders {
	return &Orders{post.Keep(w, "orders", func() OrderBook { return OrderBook{} })}
}

// Create writes an order, or finds the one that the key stands for.
func (o *Orders) Create(ctx context.Context, key string, order Order) (Order, error) {
	err := o.book.Do(ctx, func(book *OrderBook) error {
		known, there := (*book)[key]
		switch {
		case known.Cancelled:
			return tasker.Permanent("ORDER_CANCELLED", "the order was cancelled before it was written")
		case there:
			order = known.Order
			return nil
		}
		order.Created, order.OrderID, order.CreatedAt = true, post.DeriveID("order_", 16, key), time.Now().UTC()
		(*book)[key] = BookedOrder{Order: order}
		return nil
	})
	if err != nil {
		return Order{}, err
	}
	return order, nil
}

// Cancel takes an order back, and tells which one; "" where there is none. One
// that is still on its way comes too late.
func (o *Orders) Cancel(ctx context.Context, key string) (id string, err error) {
	err = o.book.Do(ctx, func(book *OrderBook) error {
		known := (*book)[key]
		id, known.Cancelled = known.Order.OrderID, true
		(*book)[key] = known
		return nil
	})
	return id, err
}
