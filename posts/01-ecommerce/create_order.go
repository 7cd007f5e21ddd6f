package main

import (
	"context"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Order is the order as the customer hears of it.
type Order struct {
	OrderID           int64        `json:"order_id"`
	OrderNumber       string       `json:"order_number"`
	Status            string       `json:"status"`
	TotalAmount       money.Amount `json:"total_amount"`
	CustomerEmail     string       `json:"customer_email"`
	CreatedAt         time.Time    `json:"created_at"`
	EstimatedDelivery string       `json:"estimated_delivery"`
}

type orderInput struct {
	Customer  *Customer `context:"customer_info"`
	Cart      Cart      `result:"validate_cart"`
	Payment   Payment   `result:"process_payment"`
	Inventory Inventory `result:"update_inventory"`
}

// CreateOrder writes the order, and makes the reservation good. Running it
// again finds the order that is there.
func (s *Shop) CreateOrder(ctx context.Context, in orderInput) (Order, error) {
	switch {
	case in.Customer == nil:
		return Order{}, tasker.Permanent("MISSING_CUSTOMER_INFO", "the order names no customer")
	case len(in.Cart.Items) == 0:
		return Order{}, tasker.Permanent("MISSING_CART_VALIDATION", "the cart was not validated")
	case in.Payment.PaymentID == "":
		return Order{}, tasker.Permanent("MISSING_PAYMENT_RESULT", "there is no payment")
	case len(in.Inventory.Products) == 0:
		return Order{}, tasker.Permanent("MISSING_INVENTORY_RESULT", "nothing is reserved")
	}
	if err := s.Stock.Commit(ctx, tasker.KeyOf(ctx, "update_inventory")); err != nil {
		return Order{}, stockVerdict(err)
	}
	order, err := s.Orders.Create(ctx, tasker.Key(ctx), OrderRecord{
		Customer: *in.Customer, Cart: in.Cart, Payment: in.Payment, InventoryLogID: in.Inventory.LogID,
	})
	if err != nil {
		return Order{}, err
	}
	noteOrder(ctx, order, in.Cart.ItemCount)
	return order, nil
}

func noteOrder(ctx context.Context, order Order, items int) {
	tasker.Annotate(ctx, "operation", "create_order")
	tasker.Annotate(ctx, "execution_hints", orderHints{order.OrderID, order.OrderNumber, items, order.TotalAmount, order.CreatedAt})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Order-Service": "OrderManagement",
		"X-Order-ID":      strconv.FormatInt(order.OrderID, 10),
		"X-Order-Number":  order.OrderNumber,
		"X-Order-Status":  order.Status,
	})
}

type orderHints struct {
	OrderID     int64        `json:"order_id"`
	OrderNumber string       `json:"order_number"`
	ItemCount   int          `json:"item_count"`
	TotalAmount money.Amount `json:"total_amount"`
	CreatedAt   time.Time    `json:"creation_timestamp"`
}
