package main

import (
	"context"
	"errors"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// PaymentInfo is how the customer wants to pay, and what they were told it
// would cost.
type PaymentInfo struct {
	Method   string       `json:"method"`
	Token    string       `json:"token"`
	Amount   money.Amount `json:"amount"`
	Currency string       `json:"currency"`
}

// Payment is a charge that was made.
type Payment struct {
	PaymentID     string       `json:"payment_id"`
	AmountCharged money.Amount `json:"amount_charged"`
	Currency      string       `json:"currency"`
	Method        string       `json:"payment_method_type"`
	TransactionID string       `json:"transaction_id"`
	ProcessedAt   time.Time    `json:"processed_at"`
	Status        string       `json:"status"`
}

type chargeInput struct {
	Payment PaymentInfo `context:"payment_info"`
	Cart    Cart        `result:"validate_cart"`
}

// ChargeCard takes the customer's money once, however often it runs: the
// gateway remembers the key, and answers a repeated key with the first charge.
func (s *Shop) ChargeCard(ctx context.Context, in chargeInput) (Payment, error) {
	if err := checkPayment(in.Payment, in.Cart); err != nil {
		return Payment{}, err
	}
	charge, err := s.Gateway.Charge(ctx, in.Payment.Token, in.Cart.Total, tasker.Key(ctx))
	if err != nil {
		return Payment{}, gatewayVerdict(err)
	}
	noteCharge(ctx, charge)
	return Payment{
		PaymentID: charge.PaymentID, AmountCharged: charge.Amount, Currency: "USD",
		Method: in.Payment.Method, TransactionID: charge.TransactionID,
		ProcessedAt: charge.At, Status: "completed",
	}, nil
}

// checkPayment looks at everything that can be wrong before money moves. The
// amount must be exactly what the cart costs: the customer agreed to that.
func checkPayment(p PaymentInfo, cart Cart) error {
	switch {
	case p.Method == "":
		return tasker.Permanent("MISSING_PAYMENT_METHOD", "the payment names no method")
	case p.Token == "":
		return tasker.Permanent("MISSING_PAYMENT_TOKEN", "the payment has no token")
	case cart.Total == 0:
		return tasker.Permanent("MISSING_CART_TOTAL", "the cart has no total")
	case p.Currency != "" && p.Currency != "USD":
		return tasker.Permanent("CURRENCY_NOT_SUPPORTED", "the cart is in USD, the payment in %s", p.Currency)
	case p.Amount != cart.Total:
		return tasker.Permanent("PAYMENT_AMOUNT_MISMATCH", "the cart costs %s, the payment says %s", cart.Total, p.Amount).
			With("expected_amount", cart.Total).
			With("provided_amount", p.Amount).
			With("difference", max(p.Amount-cart.Total, cart.Total-p.Amount))
	}
	return nil
}

// gatewayVerdicts says what each answer of the gateway means for the step.
var gatewayVerdicts = map[string]struct {
	code       string
	permanent  bool
	retryAfter time.Duration
}{
	"card_declined":       {code: "PAYMENT_DECLINED", permanent: true},
	"insufficient_funds":  {code: "PAYMENT_DECLINED", permanent: true},
	"invalid_card":        {code: "PAYMENT_DECLINED", permanent: true},
	"rate_limited":        {code: "RATE_LIMITED", retryAfter: 30 * time.Second},
	"service_unavailable": {code: "GATEWAY_UNAVAILABLE", retryAfter: 15 * time.Second},
	"key_closed":          {code: "PAYMENT_CLOSED", permanent: true},
	"timeout":             {code: "GATEWAY_TIMEOUT", retryAfter: 15 * time.Second},
}

// gatewayVerdict decides whether another attempt could help. A declined card
// stays declined; silence says nothing, so it is asked again with the same
// key.
func gatewayVerdict(err error) error {
	var answer *GatewayError
	if !errors.As(err, &answer) {
		return err
	}
	v, known := gatewayVerdicts[answer.Status]
	switch {
	case !known:
		return tasker.Retryable("UNKNOWN_PAYMENT_STATUS", "%w", err).After(30*time.Second).With("payment_status", answer.Status)
	case v.permanent:
		return tasker.Permanent(v.code, "%w", err).With("payment_status", answer.Status)
	default:
		return tasker.Retryable(v.code, "%w", err).After(v.retryAfter).With("payment_status", answer.Status)
	}
}

// noteCharge puts beside the result what whoever looks into a charge asks for.
func noteCharge(ctx context.Context, charge Charge) {
	tasker.Annotate(ctx, "operation", "process_payment")
	tasker.Annotate(ctx, "execution_hints", paymentHints{"mock", charge.Amount, feesOf(charge.Amount), 150})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Payment-Gateway": "SimulatedPaymentService",
		"X-Payment-ID":      charge.PaymentID,
		"X-Transaction-ID":  charge.TransactionID,
	})
}

type paymentHints struct {
	Gateway          string       `json:"payment_gateway"`
	AmountCharged    money.Amount `json:"amount_charged"`
	Fees             Fees         `json:"fees"`
	ProcessingTimeMS int          `json:"processing_time_ms"`
}

// Fees are what the gateway keeps of a charge.
type Fees struct {
	Processing money.Amount `json:"processing_fee"`
	Fixed      money.Amount `json:"fixed_fee"`
	Total      money.Amount `json:"total_fees"`
}

// feesOf is 2.9 % and thirty cents.
func feesOf(amount money.Amount) Fees {
	processing := amount.Share(290)
	return Fees{Processing: processing, Fixed: 30, Total: processing + 30}
}
