package main

import (
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Shop is what the checkout's handlers work with. None of it is about
// monitoring.
type Shop struct {
	Gateway *Gateway
	Stock   *Stock
	Orders  *Orders
	Mail    *Mailer
}

func newShop(w *post.World, trouble incident) *Shop {
	return &Shop{
		Gateway: newGateway(w, trouble), Stock: newStock(w, trouble),
		Orders: newOrders(w), Mail: newMailer(w, trouble),
	}
}

// Handlers is the workflow's table of contents.
func (s *Shop) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"ecommerce.MonitoredCheckoutHandler": tasker.OnSubmit(s.PlaceCheckout),
		"ecommerce.ValidateCartHandler":      tasker.Step(s.ValidateCart),
		"ecommerce.ProcessPaymentHandler":    tasker.Step(s.ProcessPayment),
		"ecommerce.RefundPaymentHandler":     tasker.Undo(s.RefundPayment),
		"ecommerce.UpdateInventoryHandler":   tasker.Step(s.UpdateInventory),
		"ecommerce.RestoreInventoryHandler":  tasker.Undo(s.RestoreInventory),
		"ecommerce.CreateOrderHandler":       tasker.Step(s.CreateOrder),
		"ecommerce.CancelOrderHandler":       tasker.Undo(s.CancelOrder),
		"ecommerce.SendConfirmationHandler":  tasker.Step(s.SendConfirmation),
	}
}
