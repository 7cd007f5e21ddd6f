package payments

import (
	"cmp"
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// GatewayRefund is a refund that the gateway has made.
type GatewayRefund struct {
	Processed        bool        `json:"refund_processed"`
	RefundID         string      `json:"refund_id"`
	PaymentID        string      `json:"payment_id"`
	Amount           money.Cents `json:"refund_amount"`
	Currency         string      `json:"currency"`
	Reason           string      `json:"refund_reason"`
	Partial          bool        `json:"partial_refund"`
	Status           string      `json:"refund_status"`
	TransactionID    string      `json:"gateway_transaction_id"`
	GatewayProvider  string      `json:"gateway_provider"`
	ProcessedAt      time.Time   `json:"processed_at"`
	EstimatedArrival time.Time   `json:"estimated_arrival"`
	Namespace        string      `json:"namespace"`
}

type refundInput struct {
	Reason        string      `context:"refund_reason"`
	Partial       bool        `context:"partial_refund"`
	CorrelationID string      `context:"correlation_id"`
	Payment       Eligibility `result:"validate_payment_eligibility"`
}

// arrival is how long a refund takes to reach the card.
const arrival = 5 * 24 * time.Hour

// snip:begin rest

// ProcessGatewayRefund moves the money, once, however often it runs: the
// gateway answers a key that it knows with the refund that it has made.
func (d *Desk) ProcessGatewayRefund(ctx context.Context, in refundInput) (GatewayRefund, error) {
	if !in.Payment.Validated {
		return GatewayRefund{}, tasker.Permanent("MISSING_VALIDATION", "the payment was not validated")
	}
	refund, err := d.Gateway.Refund(ctx, tasker.Key(ctx), in.Payment.PaymentID, in.Payment.RefundAmount)
	if err != nil {
		return GatewayRefund{}, refundVerdicts.Of(err)
	}
	tasker.Annotate(ctx, "operation", "process_gateway_refund")
	tasker.Annotate(ctx, "execution_hints", refundHints{refund.ID, refund.PaymentID, "processed"})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Gateway-Provider":       gatewayProvider,
		"X-Refund-ID":              refund.ID,
		"X-Gateway-Transaction-ID": refund.TransactionID,
		"X-Correlation-ID":         cmp.Or(in.CorrelationID, post.DeriveID("pay-", 16, tasker.Key(ctx))),
	})
	return GatewayRefund{
		Processed: true, RefundID: refund.ID, PaymentID: refund.PaymentID,
		Amount: refund.Amount, Currency: currency,
		Reason: cmp.Or(in.Reason, "customer_request"), Partial: in.Partial, Status: "processed",
		TransactionID: refund.TransactionID, GatewayProvider: gatewayProvider,
		ProcessedAt: refund.At, EstimatedArrival: refund.At.Add(arrival), Namespace: Namespace,
	}, nil
}

var refundVerdicts = sim.Verdicts{
	"failed":          {Code: "GATEWAY_REFUND_FAILED"},
	"exceeds_payment": {Code: "REFUND_EXCEEDS_PAYMENT"},
	"key_closed":      {Code: "REFUND_CLOSED"},
	"timeout":         {Code: "GATEWAY_TIMEOUT", RetryAfter: 30 * time.Second},
	"rate_limited":    {Code: "RATE_LIMITED", RetryAfter: 60 * time.Second},
	"pending":         {Code: "REFUND_PENDING", RetryAfter: 15 * time.Second},
	sim.Anything:      {Code: "UNKNOWN_STATUS", RetryAfter: 30 * time.Second},
}

// snip:end rest

type refundHints struct {
	RefundID  string `json:"refund_id"`
	PaymentID string `json:"payment_id"`
	Status    string `json:"refund_status"`
}
