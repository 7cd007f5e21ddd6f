package payments

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Eligibility is a payment that can be refunded.
type Eligibility struct {
	Validated       bool        `json:"payment_validated"`
	PaymentID       string      `json:"payment_id"`
	OriginalAmount  money.Cents `json:"original_amount"`
	RefundAmount    money.Cents `json:"refund_amount"`
	Currency        string      `json:"currency"`
	PaymentMethod   string      `json:"payment_method"`
	GatewayProvider string      `json:"gateway_provider"`
	Status          string      `json:"eligibility_status"`
	ValidatedAt     time.Time   `json:"validation_timestamp"`
	Namespace       string      `json:"namespace"`
}

type eligibilityInput struct {
	PaymentID string      `context:"payment_id"`
	Amount    money.Cents `context:"refund_amount"`
}

// snip:begin rest

// ValidatePaymentEligibility asks the gateway whether the payment is there, and
// whether so much of it is left to be given back.
func (d *Desk) ValidatePaymentEligibility(ctx context.Context, in eligibilityInput) (Eligibility, error) {
	if err := in.check(); err != nil {
		return Eligibility{}, err
	}
	payment, err := d.Gateway.Eligible(ctx, in.PaymentID, in.Amount)
	if err != nil {
		return Eligibility{}, eligibilityVerdicts.Of(err)
	}
	tasker.Annotate(ctx, "operation", "validate_payment_eligibility")
	tasker.Annotate(ctx, "execution_hints", eligibilityHints{in.PaymentID, payment.Original, "eligible"})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Payment-Gateway":    gatewayProvider,
		"X-Payment-ID":         in.PaymentID,
		"X-Eligibility-Status": "eligible",
	})
	tasker.Annotate(ctx, "input_refs", []string{"context.payment_id", "context.refund_amount"})
	return Eligibility{
		Validated: true, PaymentID: in.PaymentID,
		OriginalAmount: payment.Original, RefundAmount: in.Amount, Currency: currency,
		PaymentMethod: "credit_card", GatewayProvider: gatewayProvider, Status: "eligible",
		ValidatedAt: time.Now().UTC(), Namespace: Namespace,
	}, nil
}

// currency is what every amount of the team is in; the schema takes no other.
const currency = "USD"

var paymentID = regexp.MustCompile(`^pay_[a-zA-Z0-9_]+$`)

// check holds the request to its form once more: the schema does so at the
// door, and a handler does not rely on who has called it.
func (in eligibilityInput) check() error {
	var missing []string
	if in.PaymentID == "" {
		missing = append(missing, "payment_id")
	}
	if in.Amount == 0 {
		missing = append(missing, "refund_amount")
	}
	switch {
	case len(missing) > 0:
		return tasker.Permanent("MISSING_REQUIRED_FIELDS", "the request has no %s",
			strings.Join(missing, " and no ")).With("missing", missing)
	case in.Amount < 0:
		return tasker.Permanent("INVALID_REFUND_AMOUNT", "%s %s cannot be refunded", in.Amount, currency)
	case !paymentID.MatchString(in.PaymentID):
		return tasker.Permanent("INVALID_PAYMENT_ID", "%q is not the id of a payment", in.PaymentID)
	}
	return nil
}

var eligibilityVerdicts = sim.Verdicts{
	"insufficient_funds": {Code: "INSUFFICIENT_FUNDS"},
	"ineligible":         {Code: "PAYMENT_INELIGIBLE"},
	"exceeds_payment":    {Code: "REFUND_EXCEEDS_PAYMENT"},
	"processing":         {Code: "PAYMENT_PROCESSING", RetryAfter: 30 * time.Second},
	sim.Anything:         {Code: "UNKNOWN_STATUS", RetryAfter: 30 * time.Second},
}

// snip:end rest

type eligibilityHints struct {
	PaymentID      string      `json:"payment_id"`
	OriginalAmount money.Cents `json:"original_amount"`
	Status         string      `json:"eligibility_status"`
}
