package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Mailer is a simulated mail service. A mail under a known key is the first
// one over again.
type Mailer struct {
	outbox *post.Kept[Outbox]
	line   *line
}

// Outbox is what the mailer remembers, by key.
type Outbox map[string]Mail

// Mail is a confirmation.
type Mail struct {
	EmailID, To, OrderID, Template string
	SentAt                         time.Time
}

func newMailer(w *post.World, trouble incident) *Mailer {
	return &Mailer{post.Keep(w, "mail", func() Outbox { return Outbox{} }), newLine(w, "mail", trouble.mail)}
}

// Send sends a mail, once for each key.
func (m *Mailer) Send(ctx context.Context, key string, mail Mail) (Mail, error) {
	err := m.line.call(ctx, "send", func(ctx context.Context) error {
		return m.outbox.Do(ctx, func(sent *Outbox) error {
			if known, there := (*sent)[key]; there {
				mail = known
				return nil
			}
			mail.EmailID, mail.SentAt = post.DeriveID("email_", 16, key), time.Now().UTC()
			(*sent)[key] = mail
			return nil
		})
	})
	return mail, err
}
