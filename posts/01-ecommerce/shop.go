package main

import (
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Shop is what the checkout's handlers work with.
type Shop struct {
	Gateway *Gateway
	Stock   *Stock
	Orders  *Orders
	Mail    *Mailer
}

func newShop(w *post.World) *Shop {
	return &Shop{Gateway: newGateway(w), Stock: newStock(w), Orders: newOrders(w), Mail: newMailer(w)}
}

// Handlers is the workflow's table of contents.
func (s *Shop) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"ecommerce.OrderProcessingHandler":  tasker.OnSubmit(s.FavourPremium),
		"ecommerce.ValidateCartHandler":     tasker.Step(s.ValidateCart),
		"ecommerce.ProcessPaymentHandler":   tasker.Step(s.ChargeCard),
		"ecommerce.RefundPaymentHandler":    tasker.Undo(s.Refund),
		"ecommerce.UpdateInventoryHandler":  tasker.Step(s.ReserveStock),
		"ecommerce.ReleaseInventoryHandler": tasker.Undo(s.ReleaseStock),
		"ecommerce.CreateOrderHandler":      tasker.Step(s.CreateOrder),
		"ecommerce.CancelOrderHandler":      tasker.Undo(s.CancelOrder),
		"ecommerce.SendConfirmationHandler": tasker.Step(s.SendConfirmation),
	}
}
