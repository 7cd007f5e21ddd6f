package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Confirmation is the mail that was sent.
type Confirmation struct {
	EmailSent bool      `json:"email_sent"`
	Recipient string    `json:"recipient"`
	EmailType string    `json:"email_type"`
	SentAt    time.Time `json:"sent_at"`
	MessageID string    `json:"message_id"`
}

type confirmInput struct {
	Customer Customer `context:"customer_info"`
	Cart     Cart     `result:"validate_cart"`
	Order    Order    `result:"create_order"`
}

var address = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)

// SendConfirmation mails the customer. The step is optional: an order that is
// paid stands, whatever the mail does.
func (s *Shop) SendConfirmation(ctx context.Context, in confirmInput) (Confirmation, error) {
	to := in.Customer.Email
	switch {
	case to == "":
		return Confirmation{}, tasker.Permanent("MISSING_CUSTOMER_EMAIL", "the customer has no address")
	case in.Order.OrderID == 0:
		return Confirmation{}, tasker.Permanent("MISSING_ORDER_RESULT", "there is no order")
	case len(in.Cart.Items) == 0:
		return Confirmation{}, tasker.Permanent("MISSING_CART_VALIDATION", "the cart was not validated")
	case !address.MatchString(to):
		return Confirmation{}, tasker.Permanent("INVALID_EMAIL", "%q is not an address", to).With("email", to)
	}
	mail, err := s.Mail.Send(ctx, tasker.Key(ctx), Mail{
		To: to, CustomerName: in.Customer.Name, OrderNumber: in.Order.OrderNumber, OrderID: in.Order.OrderID,
		TotalAmount: in.Order.TotalAmount, EstimatedDelivery: in.Order.EstimatedDelivery, Items: in.Cart.Items,
		OrderURL: fmt.Sprintf("https://example.com/orders/%d", in.Order.OrderID),
	})
	if err != nil {
		return Confirmation{}, mailVerdict(err)
	}
	noteMail(ctx, mail)
	return Confirmation{EmailSent: true, Recipient: to, EmailType: "order_confirmation", SentAt: mail.SentAt, MessageID: mail.MessageID}, nil
}

func noteMail(ctx context.Context, mail Mail) {
	tasker.Annotate(ctx, "operation", "send_confirmation_email")
	tasker.Annotate(ctx, "execution_hints", mailHints{mail.To, "order_confirmation", "sent", mail.SentAt})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Email-Service": "MockEmailService",
		"X-Message-ID":    mail.MessageID,
		"X-Recipient":     mail.To,
	})
}

// mailVerdict decides whether another attempt could help.
func mailVerdict(err error) error {
	var answer *MailError
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Status {
	case "invalid_email":
		return tasker.Permanent("INVALID_EMAIL", "%w", err)
	case "rate_limited":
		return tasker.Retryable("RATE_LIMITED", "%w", err).After(60 * time.Second)
	case "service_unavailable", "timeout":
		return tasker.Retryable("MAILER_UNAVAILABLE", "%w", err).After(30 * time.Second)
	default:
		return tasker.Retryable("UNKNOWN_MAIL_STATUS", "%w", err).After(30*time.Second).With("delivery_status", answer.Status)
	}
}

type mailHints struct {
	Recipient string    `json:"recipient"`
	EmailType string    `json:"email_type"`
	Status    string    `json:"delivery_status"`
	SentAt    time.Time `json:"sent_timestamp"`
}
