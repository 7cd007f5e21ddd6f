package main

import (
	"context"
	"errors"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Payment is a charge that was made.
type Payment struct {
	Successful  bool         `json:"payment_successful"`
	PaymentID   string       `json:"payment_id"`
	Amount      money.Amount `json:"amount"`
	Method      string       `json:"payment_method"`
	ProcessedAt time.Time    `json:"processed_at"`
}

type paymentInput struct {
	Cart   Cart   `result:"validate_cart"`
	Method string `context:"payment_method"`
}

// ProcessPayment charges what the cart costs, once: the gateway remembers the
// step's key.
func (s *Shop) ProcessPayment(ctx context.Context, in paymentInput) (Payment, error) {
	if !in.Cart.Validated {
		return Payment{}, tasker.Permanent("CART_NOT_VALIDATED", "there is no validated cart to charge for")
	}
	charge, err := s.Gateway.Charge(ctx, tasker.Key(ctx), in.Cart.Total)
	switch {
	case errors.Is(err, ErrDeclined):
		return Payment{}, tasker.Permanent("PAYMENT_DECLINED", "%w", err)
	case errors.Is(err, ErrUnavailable):
		return Payment{}, tasker.Retryable("GATEWAY_UNAVAILABLE", "%w", err).After(15 * time.Second)
	case err != nil:
		return Payment{}, err
	}
	return Payment{true, charge.PaymentID, charge.Amount, in.Method, charge.At}, nil
}
