package payments

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Mailer is a simulated mail service: one mail for each key.
type Mailer struct{ outbox *post.Kept[Outbox] }

// Outbox is what the mailer remembers, by key.
type Outbox map[string]Mail

// Mail is what a customer is told.
type Mail struct {
	To, Subject, Template string
	RefundID              string
	MessageID             string
	SentAt                time.Time
}

const mailService = "MockEmailService"

var mailHooks = sim.Hooks{
	{Part: "@test_bounce", Status: "bounced"},
	{Part: "@test_invalid", Status: "invalid"},
	{Part: "@test_rate_limit", Status: "rate_limited"},
	{Part: "@test_failed", Status: "failed"},
	{Part: "@test_error", Status: "error"},
	{Part: "@test_unknown", Status: "gremlins"},
}

func newMailer(w *post.World) *Mailer {
	return &Mailer{post.Keep(w, "payments.mail", func() Outbox { return Outbox{} })}
}

// Send sends a mail, or finds the one that went out under the key.
func (m *Mailer) Send(ctx context.Context, key string, mail Mail) (Mail, error) {
	if err := mailHooks.Strike("the mail service", mail.To); err != nil {
		return Mail{}, err
	}
	err := m.outbox.Do(ctx, func(sent *Outbox) error {
		if known, ok := (*sent)[key]; ok {
			mail = known
			return nil
		}
		mail.MessageID, mail.SentAt = post.DeriveID("msg_", 24, key), time.Now().UTC()
		(*sent)[key] = mail
		return nil
	})
	return mail, err
}
