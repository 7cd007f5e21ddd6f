package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Welcome is what was sent.
type Welcome struct {
	UserID     string      `json:"user_id"`
	Plan       string      `json:"plan"`
	Channels   []string    `json:"channels_used"`
	Messages   int         `json:"messages_sent"` // handed to the channels, which may yet lose them
	SequenceID string      `json:"welcome_sequence_id"`
	Status     string      `json:"status"` // sent, already_sent
	SentAt     time.Time   `json:"sent_at"`
	Scheduled  []Scheduled `json:"scheduled,omitempty"`
}

const (
	welcomeSent        = "sent"
	welcomeAlreadySent = "already_sent"
)

type welcomeInput struct {
	Account     Account     `result:"create_user_account"`
	Billing     Billing     `result:"setup_billing_profile"`
	Preferences Preferences `result:"initialize_preferences"`
	At          Endpoint    `initialization:"."`
}

// snip:begin rest

// SendWelcomeSequence welcomes a user, once in their life. The key is the
// user's and not the step's, so that a second registration finds the first
// welcome instead of sending another.
func (r *Registration) SendWelcomeSequence(ctx context.Context, in welcomeInput) (Welcome, error) {
	if err := in.check(); err != nil {
		return Welcome{}, err
	}
	account := in.Account
	messages := messagesFor(account, in.Billing, in.Preferences.Preferences)
	wanted := NewSequence{account.UserID, account.Plan, messages}
	var sent Sequence
	err := r.Notifications.Post(ctx, in.At, "/sequences", welcomeKey(account.UserID), wanted, &sent)
	switch {
	case err != nil:
		return Welcome{}, err
	case sent.ID == "":
		return Welcome{}, tasker.Permanent("MISSING_SEQUENCE_ID_IN_RESPONSE", "the answer has no welcome_sequence_id")
	}
	result := welcomeOf(account, sent)
	annotateWelcome(ctx, result)
	return result, nil
}

func annotateWelcome(ctx context.Context, w Welcome) {
	tasker.Annotate(ctx, "operation", "send_welcome_sequence")
	tasker.Annotate(ctx, "service", "notification_service")
	tasker.Annotate(ctx, "plan", w.Plan)
	tasker.Annotate(ctx, "channels_used", len(w.Channels))
}

// welcomeKey is the idempotency key of a user's welcome.
func welcomeKey(user string) string { return "welcome/" + user }

func (in welcomeInput) check() error {
	if err := in.Account.check(); err != nil {
		return err
	}
	switch {
	case in.Billing.Status == "":
		return tasker.Permanent("MISSING_BILLING_DATA", "there is no billing")
	case in.Preferences.Preferences == nil:
		return tasker.Permanent("MISSING_PREFERENCES_DATA", "there are no preferences")
	}
	return nil
}

func welcomeOf(a Account, sent Sequence) Welcome {
	w := Welcome{
		UserID: a.UserID, Plan: a.Plan, Messages: len(sent.Messages), SequenceID: sent.ID,
		Status: welcomeSent, SentAt: sent.SentAt, Scheduled: sent.Scheduled,
	}
	if sent.Known && a.Status == accountExists {
		w.Status = welcomeAlreadySent
	}
	for _, m := range sent.Messages {
		w.Channels = append(w.Channels, m.Channel)
	}
	return w
}

// snip:end rest
