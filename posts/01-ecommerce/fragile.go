package main

import (
	"context"
	"crypto/rand"
	"fmt"
)

// fragileCheckout is the checkout as it is usually written first: one
// function that does everything in a row. It works until something in the
// middle fails. Then nobody can tell how far it came, and calling it again
// does everything again.
func (s *Shop) fragileCheckout(ctx context.Context, items []CartItem, customer Customer, card PaymentInfo) (Order, error) {
	cart := price(items)
	charge, err := s.Gateway.Charge(ctx, card.Token, cart.Total, rand.Text())
	if err != nil {
		return Order{}, fmt.Errorf("checkout failed: %w", err)
	}
	if _, err := s.Stock.Reserve(ctx, rand.Text(), items); err != nil {
		return Order{}, fmt.Errorf("checkout failed: %w", err)
	}
	order, err := s.Orders.Create(ctx, rand.Text(), OrderRecord{
		Customer: customer, Cart: cart, Payment: Payment{PaymentID: charge.PaymentID, AmountCharged: charge.Amount},
	})
	if err != nil {
		return Order{}, fmt.Errorf("checkout failed: %w", err)
	}
	if _, err := s.Mail.Send(ctx, rand.Text(), Mail{To: customer.Email, OrderNumber: order.OrderNumber}); err != nil {
		return Order{}, fmt.Errorf("checkout failed: %w", err)
	}
	return order, nil
}
