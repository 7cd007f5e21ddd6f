package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Mailer is a simulated mail service. A mail that goes out under a known key
// is the first one over again, not a second.
type Mailer struct{ outbox *post.Kept[Outbox] }

// Outbox is what the mailer remembers, by key.
type Outbox map[string]Mail

// Mail is a confirmation.
type Mail struct {
	To, CustomerName  string
	OrderNumber       string
	OrderID           int64
	TotalAmount       money.Amount
	EstimatedDelivery string
	Items             []PricedItem
	OrderURL          string
	MessageID         string
	SentAt            time.Time
}

// MailError is the mailer's refusal.
type MailError struct{ Status string }

func (e *MailError) Error() string { return "the mail service answers " + e.Status }

// undeliverable are the addresses that the mailer has trouble with.
var undeliverable = map[string]string{
	"mailer-down@example.com":    "service_unavailable",
	"mailer-slow@example.com":    "timeout",
	"mailer-limited@example.com": "rate_limited",
	"mailer-refuses@example.com": "invalid_email",
	"mailer-odd@example.com":     "gremlins",
}

func newMailer(w *post.World) *Mailer {
	return &Mailer{post.Keep(w, "mail", func() Outbox { return Outbox{} })}
}

// Send sends a mail, once for each key.
func (m *Mailer) Send(ctx context.Context, key string, mail Mail) (Mail, error) {
	err := m.outbox.Do(ctx, func(sent *Outbox) error {
		if known, ok := (*sent)[key]; ok {
			mail = known
			return nil
		}
		if status, ok := undeliverable[mail.To]; ok {
			return &MailError{status}
		}
		mail.MessageID, mail.SentAt = post.DeriveID("msg_", 24, key), time.Now().UTC()
		(*sent)[key] = mail
		return nil
	})
	return mail, err
}
