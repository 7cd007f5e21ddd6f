package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Activation is the end of a registration.
type Activation struct {
	UserID           string    `json:"user_id"`
	Status           string    `json:"status"`
	Plan             string    `json:"plan"`
	Summary          Summary   `json:"registration_summary"`
	ActivatedAt      time.Time `json:"activation_timestamp"`
	AllCoordinated   bool      `json:"all_services_coordinated"`
	ServicesDone     []string  `json:"services_completed"`
	ServicesSkipped  []string  `json:"services_skipped,omitempty"`  // not needed for this plan
	ServicesDegraded []string  `json:"services_degraded,omitempty"` // down, and to be repaired
}

// Summary is the registration in short.
type Summary struct {
	UserID          string    `json:"user_id"`
	Email           string    `json:"email"`
	Plan            string    `json:"plan"`
	Status          string    `json:"registration_status"`
	BillingID       string    `json:"billing_id,omitempty"`
	NextBillingDate time.Time `json:"next_billing_date,omitzero"`
	Preferences     int       `json:"preferences_count"`
	WelcomeSent     bool      `json:"welcome_sent"`
	Channels        []string  `json:"notification_channels"`
	UserCreatedAt   time.Time `json:"user_created_at"`
	CompletedAt     time.Time `json:"registration_completed_at"`
}

type activateInput struct {
	Account     Account     `result:"create_user_account"`
	Billing     Billing     `result:"setup_billing_profile"`
	Preferences Preferences `result:"initialize_preferences"`
	Welcome     Welcome     `result:"send_welcome_sequence"`
	At          Endpoint    `initialization:"."`
}

// snip:begin rest

// UpdateUserStatus activates the account. It comes last, so that an account
// is active only when all that belongs to it is there.
func (r *Registration) UpdateUserStatus(ctx context.Context, in activateInput) (Activation, error) {
	if err := in.check(); err != nil {
		return Activation{}, err
	}
	user := in.Account.UserID
	var now UserStatus
	path := "/users/" + url.PathEscape(user) + "/status"
	err := r.Users.Put(ctx, in.At, path, UserStatus{Status: userActive}, &now)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return Activation{}, tasker.Permanent("USER_NOT_FOUND", "the user service does not know %s", user)
	case err != nil:
		return Activation{}, err
	case now.Status == "":
		return Activation{}, tasker.Permanent("MISSING_STATUS_IN_RESPONSE", "the answer has no status")
	}
	annotateActivation(ctx, in.Account.Plan, now)
	return in.activation(now), nil
}

func annotateActivation(ctx context.Context, plan string, now UserStatus) {
	tasker.Annotate(ctx, "operation", "update_user_status")
	tasker.Annotate(ctx, "service", "user_service")
	tasker.Annotate(ctx, "plan", plan)
	tasker.Annotate(ctx, "workflow_complete", true)
	tasker.Annotate(ctx, "completed_at", now.UpdatedAt)
}

// check names everything that is not there.
func (in activateInput) check() error {
	var missing []string
	for _, part := range []struct {
		step  string
		there bool
	}{
		{"create_user_account", in.Account.UserID != ""},
		{"setup_billing_profile", in.Billing.Status != ""},
		{"initialize_preferences", in.Preferences.Preferences != nil},
		{"send_welcome_sequence", in.Welcome.SequenceID != ""},
	} {
		if !part.there {
			missing = append(missing, part.step)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	verdict := tasker.Permanent("INCOMPLETE_WORKFLOW", "these steps left no result: %s", strings.Join(missing, ", "))
	return verdict.With("missing", missing)
}

// activation tells which services took part: a free plan needs no billing,
// and what was down is not called completed.
func (in activateInput) activation(now UserStatus) Activation {
	a := Activation{
		UserID: in.Account.UserID, Status: now.Status, Plan: in.Account.Plan, Summary: in.summary(now),
		ActivatedAt: now.UpdatedAt, AllCoordinated: true, ServicesDone: []string{"user_service"},
	}
	if in.Billing.Status == billingSkipped {
		a.ServicesSkipped = []string{"billing_service"}
	} else {
		a.ServicesDone = append(a.ServicesDone, "billing_service")
	}
	if in.Preferences.FallbackUsed {
		a.ServicesDegraded = []string{"preferences_service"}
	} else {
		a.ServicesDone = append(a.ServicesDone, "preferences_service")
	}
	a.ServicesDone = append(a.ServicesDone, "notification_service")
	return a
}

func (in activateInput) summary(now UserStatus) Summary {
	return Summary{
		UserID: in.Account.UserID, Email: in.Account.Email, Plan: in.Account.Plan, Status: "complete",
		BillingID: in.Billing.BillingID, NextBillingDate: in.Billing.NextBillingDate,
		Preferences: len(in.Preferences.Preferences), WelcomeSent: true, Channels: in.Welcome.Channels,
		UserCreatedAt: in.Account.CreatedAt, CompletedAt: now.UpdatedAt,
	}
}

// snip:end rest
