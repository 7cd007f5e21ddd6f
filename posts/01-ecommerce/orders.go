package main

import (
	"context"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Orders is a simulated order book. An order is found again by its key.
type Orders struct{ book *post.Kept[OrderBook] }

// OrderBook is what Orders remembers, by key.
type OrderBook map[string]OrderRecord

// OrderRecord is an order with everything that led to it.
type OrderRecord struct {
	Order           Order
	Customer        Customer
	Cart            Cart
	Payment         Payment
	PaymentStatus   string
	InventoryLogID  string
	TaskID          tasker.ID
	WorkflowVersion string
	Subtotal        money.Amount
	Tax             money.Amount
	Shipping        money.Amount
}

const deliveryTime = 7 * 24 * time.Hour

func newOrders(w *post.World) *Orders {
	return &Orders{post.Keep(w, "orders", func() OrderBook { return OrderBook{} })}
}

// Create writes an order, or finds the one that the key stands for. Its id
// and number follow from the key, so that no retry makes a second one.
func (o *Orders) Create(ctx context.Context, key string, r OrderRecord) (Order, error) {
	err := o.book.Do(ctx, func(book *OrderBook) error {
		if known, ok := (*book)[key]; ok {
			r = known
			if known.Order.Status == statusCancelled {
				return tasker.Permanent("ORDER_CANCELLED", "the order was cancelled before it was written")
			}
			return nil
		}
		now := time.Now().UTC()
		r.Order = Order{
			OrderID:     post.DeriveNumber(1_000_000_000, key),
			OrderNumber: "ORD-" + now.Format("20060102") + "-" + strings.ToUpper(post.DeriveID("", 8, key)),
			Status:      "confirmed", TotalAmount: r.Cart.Total, CustomerEmail: r.Customer.Email,
			CreatedAt: now, EstimatedDelivery: now.Add(deliveryTime).Format("January 02, 2006"),
		}
		r.PaymentStatus, r.Subtotal, r.Tax, r.Shipping = "completed", r.Cart.Subtotal, r.Cart.Tax, r.Cart.Shipping
		if a := tasker.Current(ctx); a != nil {
			r.TaskID, r.WorkflowVersion = a.TaskID, a.Version
		}
		(*book)[key] = r
		return nil
	})
	return r.Order, err
}

// Cancel takes an order back that nobody has been told of, and tells which
// one; none where the key stands for no order. An order that is still on its
// way comes too late.
func (o *Orders) Cancel(ctx context.Context, key string) (cancelled Order, err error) {
	err = o.book.Do(ctx, func(book *OrderBook) error {
		known := (*book)[key]
		cancelled = known.Order
		known.Order.Status = statusCancelled
		(*book)[key] = known
		return nil
	})
	return cancelled, err
}

const statusCancelled = "cancelled"

// standing counts the orders that were not cancelled.
func (b OrderBook) standing() (n int) {
	for _, r := range b {
		if r.Order.Status != statusCancelled {
			n++
		}
	}
	return n
}
