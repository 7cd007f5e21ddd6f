package customersuccess

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// ValidRequest is a refund that a customer may ask for.
type ValidRequest struct {
	Validated    bool      `json:"request_validated"`
	TicketID     string    `json:"ticket_id"`
	CustomerID   string    `json:"customer_id"`
	TicketStatus string    `json:"ticket_status"`
	CustomerTier string    `json:"customer_tier"`
	PurchasedAt  time.Time `json:"original_purchase_date"`
	PaymentID    string    `json:"payment_id"` // "" where none is known
	ValidatedAt  time.Time `json:"validation_timestamp"`
	Namespace    string    `json:"namespace"`
}

type requestInput struct {
	TicketID   string      `context:"ticket_id"`
	CustomerID string      `context:"customer_id"`
	Amount     money.Cents `context:"refund_amount"`
	PaymentID  string      `context:"payment_id"`
}

// snip:begin rest

// ValidateRefundRequest finds the ticket, and by it the purchase and its
// payment. A payment that the request names goes before that of the ticket.
func (d *Desk) ValidateRefundRequest(ctx context.Context, in requestInput) (ValidRequest, error) {
	if err := in.check(); err != nil {
		return ValidRequest{}, err
	}
	now := d.Now().UTC()
	ticket, err := d.Tickets.Find(ctx, in.TicketID, now)
	if err != nil {
		return ValidRequest{}, ticketVerdicts.Of(err)
	}
	tier := tierOf(in.CustomerID)
	tasker.Annotate(ctx, "operation", "validate_refund_request")
	tasker.Annotate(ctx, "execution_hints", requestHints{in.TicketID, ticket.Status, tier})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Customer-Service-Platform": platform,
		"X-Ticket-ID":                 in.TicketID,
		"X-Customer-Tier":             tier,
	})
	tasker.Annotate(ctx, "input_refs", []string{"context.ticket_id", "context.customer_id", "context.refund_amount"})
	return ValidRequest{
		Validated: true, TicketID: in.TicketID, CustomerID: in.CustomerID,
		TicketStatus: ticket.Status, CustomerTier: tier, PurchasedAt: ticket.PurchasedAt,
		PaymentID:   cmp.Or(in.PaymentID, ticket.PaymentID),
		ValidatedAt: now, Namespace: Namespace,
	}, nil
}

func (in requestInput) check() error {
	var missing []string
	if in.TicketID == "" {
		missing = append(missing, "ticket_id")
	}
	if in.CustomerID == "" {
		missing = append(missing, "customer_id")
	}
	if in.Amount == 0 {
		missing = append(missing, "refund_amount")
	}
	if len(missing) > 0 {
		return tasker.Permanent("MISSING_REQUIRED_FIELDS", "the request has no %s",
			strings.Join(missing, " and no ")).With("missing", missing)
	}
	return nil
}

// tiers are found in a customer's id; the first one counts.
var tiers = []struct{ part, tier string }{{"vip", "premium"}, {"premium", "premium"}, {"gold", "gold"}}

func tierOf(customerID string) string {
	for _, t := range tiers {
		if strings.Contains(strings.ToLower(customerID), t.part) {
			return t.tier
		}
	}
	return "standard"
}

// snip:end rest

var ticketVerdicts = sim.Verdicts{
	"closed":     {Code: "TICKET_CLOSED"},
	"cancelled":  {Code: "TICKET_CANCELLED"},
	"duplicate":  {Code: "TICKET_DUPLICATE"},
	sim.Anything: {Code: "UNKNOWN_STATUS", RetryAfter: 30 * time.Second},
}

type requestHints struct {
	TicketID     string `json:"ticket_id"`
	TicketStatus string `json:"ticket_status"`
	CustomerTier string `json:"customer_tier"`
}
