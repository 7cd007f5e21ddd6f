package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// NotificationService sends messages. A sequence that it knows by its key is
// not sent again.
type NotificationService struct{ sent *post.Kept[Sent] }

// Sent is what the service remembers.
type Sent struct {
	Sequences map[string]*Sequence // by key
	Messages  []Message            // that went out
	Asked     map[string][]time.Time
}

// Sequence is a welcome, and what follows it in the days after.
type Sequence struct {
	ID        string      `json:"welcome_sequence_id"`
	UserID    string      `json:"user_id"`
	Messages  []Message   `json:"messages"`
	Scheduled []Scheduled `json:"scheduled,omitempty"`
	SentAt    time.Time   `json:"sent_at"`
	Known     bool        `json:"known,omitempty"` // it went out before this request
}

// Message is one message on one channel.
type Message struct {
	ID      string `json:"message_id,omitempty"`
	Channel string `json:"channel"`
	To      string `json:"to"`
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// Scheduled is a message that is still to come.
type Scheduled struct {
	Template string    `json:"template"`
	At       time.Time `json:"at"`
}

// NewSequence asks for a welcome.
type NewSequence struct {
	UserID   string    `json:"user_id"`
	Plan     string    `json:"plan"`
	Messages []Message `json:"messages"`
}

// The service lets a user be written to that often in that time.
const (
	requestLimit  = 10
	requestWindow = time.Minute
)

// followUps say what comes after the welcome of a plan, and when.
var followUps = map[string][]struct {
	template string
	after    time.Duration
}{
	"free":       {{"standard_welcome", 0}, {"tips", 24 * time.Hour}},
	"pro":        {{"pro_welcome", 0}, {"feature_tour", 2 * time.Hour}, {"tips", 24 * time.Hour}},
	"enterprise": {{"enterprise_welcome", 0}, {"onboarding", time.Hour}, {"tips", 24 * time.Hour}},
}

func newNotificationService(w *post.World) *NotificationService {
	return &NotificationService{post.Keep(w, "notifications", func() Sent {
		return Sent{Asked: map[string][]time.Time{}, Sequences: map[string]*Sequence{
			welcomeKey(existingUser.ID): {
				ID: "welcome_existing_001", UserID: existingUser.ID, SentAt: existingUser.CreatedAt,
				Messages: []Message{
					{ID: "msg_existing_001", Channel: "email", To: existingUser.Email},
					{ID: "msg_existing_002", Channel: "in_app", To: existingUser.ID},
				},
			},
		}}
	})}
}

func (s *NotificationService) routes(to *service) { to.handle("POST /sequences", s.send) }

// send sends a welcome, once for each key.
func (s *NotificationService) send(c *call) (any, error) {
	var wanted NewSequence
	if err := c.read(&wanted); err != nil {
		return nil, err
	}
	var sequence Sequence
	return &sequence, do(c, s.sent, func(all *Sent) error {
		now := time.Now().UTC()
		if len(wanted.Messages) == 0 || wanted.UserID == "" {
			return refuse(http.StatusUnprocessableEntity, "there is nobody to write to, or nothing to write")
		}
		if !all.admit(wanted.UserID, now) {
			return &refusal{http.StatusTooManyRequests, requestWindow, "too many messages for one user"}
		}
		if known := all.Sequences[c.key]; known != nil {
			sequence = *known
			sequence.Known = true
			return nil
		}
		sequence = all.dispatch(c.key, wanted, now)
		return nil
	})
}

// admit counts a request, unless a user is written to too often.
func (s *Sent) admit(user string, now time.Time) bool {
	isOld := func(at time.Time) bool { return now.Sub(at) >= requestWindow }
	s.Asked[user] = slices.DeleteFunc(s.Asked[user], isOld)
	if len(s.Asked[user]) >= requestLimit {
		return false
	}
	s.Asked[user] = append(s.Asked[user], now)
	return true
}

func (s *Sent) dispatch(key string, wanted NewSequence, now time.Time) Sequence {
	sequence := Sequence{ID: post.DeriveID("welcome_", 12, key), UserID: wanted.UserID, SentAt: now}
	for _, m := range wanted.Messages {
		m.ID = post.DeriveID("msg_", 12, key, m.Channel)
		sequence.Messages = append(sequence.Messages, m)
	}
	for _, f := range followUps[wanted.Plan] {
		sequence.Scheduled = append(sequence.Scheduled, Scheduled{f.template, now.Add(f.after)})
	}
	kept := sequence
	s.Sequences[key] = &kept
	s.Messages = append(s.Messages, sequence.Messages...)
	return sequence
}
