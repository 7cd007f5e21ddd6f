package main

import (
	"context"
	"errors"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Confirmation is the mail that was sent.
type Confirmation struct {
	Sent     bool      `json:"confirmation_sent"`
	EmailID  string    `json:"email_id"`
	SentTo   string    `json:"sent_to"`
	OrderID  string    `json:"order_id"`
	Template string    `json:"template"`
	SentAt   time.Time `json:"sent_at"`
}

type confirmInput struct {
	Order Order   `result:"create_order"`
	Email *string `context:"customer_email"`
}

// SendConfirmation mails the customer, once.
func (s *Shop) SendConfirmation(ctx context.Context, in confirmInput) (Confirmation, error) {
	switch {
	case !in.Order.Created:
		return Confirmation{}, tasker.Permanent("MISSING_ORDER", "there is no order to confirm")
	case in.Email == nil:
		return Confirmation{}, tasker.Permanent("MISSING_CUSTOMER_EMAIL", "the customer has left no address")
	}
	mail, err := s.Mail.Send(ctx, tasker.Key(ctx), Mail{
		To: *in.Email, OrderID: in.Order.OrderID, Template: "order_confirmation",
	})
	switch {
	case errors.Is(err, ErrUnavailable):
		return Confirmation{}, tasker.Retryable("MAILER_UNAVAILABLE", "%w", err).After(30 * time.Second)
	case err != nil:
		return Confirmation{}, err
	}
	return Confirmation{true, mail.EmailID, mail.To, mail.OrderID, mail.Template, mail.SentAt}, nil
}
