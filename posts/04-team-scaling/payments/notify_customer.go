package payments

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Notification is the mail that went to the customer.
type Notification struct {
	Sent           bool        `json:"notification_sent"`
	CustomerEmail  string      `json:"customer_email"`
	MessageID      string      `json:"message_id"`
	Type           string      `json:"notification_type"`
	SentAt         time.Time   `json:"sent_at"`
	DeliveryStatus string      `json:"delivery_status"`
	RefundID       string      `json:"refund_id"`
	RefundAmount   money.Cents `json:"refund_amount"`
	Currency       string      `json:"currency"`
	Namespace      string      `json:"namespace"`
}

type notifyInput struct {
	Email  string        `context:"customer_email"`
	Refund GatewayRefund `result:"process_gateway_refund"`
}

var oneAtOne = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)

// NotifyCustomer mails what went back. The step is optional: a refund that is
// done stays done, whatever the mail does.
func (d *Desk) NotifyCustomer(ctx context.Context, in notifyInput) (Notification, error) {
	switch {
	case !in.Refund.Processed:
		return Notification{}, tasker.Permanent("MISSING_REFUND", "there is no refund to tell of")
	case in.Email == "":
		return Notification{}, tasker.Permanent("MISSING_CUSTOMER_EMAIL", "the customer has no address")
	case !oneAtOne.MatchString(in.Email):
		return Notification{}, tasker.Permanent("INVALID_EMAIL_FORMAT", "%q is not an address", in.Email)
	}
	mail, err := d.Mail.Send(ctx, tasker.Key(ctx), Mail{
		To: in.Email, Template: "refund_confirmation_v2", RefundID: in.Refund.RefundID,
		Subject: fmt.Sprintf("Your refund of $%s is on its way", in.Refund.Amount),
	})
	if err != nil {
		return Notification{}, mailVerdicts.Of(err)
	}
	tasker.Annotate(ctx, "operation", "notify_customer")
	tasker.Annotate(ctx, "execution_hints", mailHints{mail.MessageID, mail.Subject, mail.Template, "delivered"})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Notification-Service": mailService,
		"X-Message-ID":           mail.MessageID,
		"X-Recipient":            mail.To,
	})
	return Notification{
		Sent: true, CustomerEmail: mail.To, MessageID: mail.MessageID, Type: "refund_confirmation",
		SentAt: mail.SentAt, DeliveryStatus: "delivered", RefundID: mail.RefundID,
		RefundAmount: in.Refund.Amount, Currency: currency, Namespace: Namespace,
	}, nil
}

var mailVerdicts = sim.Verdicts{
	"bounced":      {Code: "EMAIL_BOUNCED"},
	"invalid":      {Code: "INVALID_EMAIL"},
	"rate_limited": {Code: "RATE_LIMITED", RetryAfter: 60 * time.Second},
	"failed":       {Code: "NOTIFICATION_FAILED", RetryAfter: 30 * time.Second},
	"error":        {Code: "NOTIFICATION_FAILED", RetryAfter: 30 * time.Second},
	sim.Anything:   {Code: "UNKNOWN_STATUS", RetryAfter: 30 * time.Second},
}

type mailHints struct {
	MessageID string `json:"message_id"`
	Subject   string `json:"subject"`
	Template  string `json:"template"`
	Status    string `json:"delivery_status"`
}
