package main

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Preferences are how a user wants things.
type Preferences struct {
	PreferencesID   string         `json:"preferences_id,omitempty"` // none until they are saved
	UserID          string         `json:"user_id"`
	Plan            string         `json:"plan"`
	Preferences     map[string]any `json:"preferences"`
	DefaultsApplied int            `json:"defaults_applied"`
	Customizations  int            `json:"customizations"`
	Status          string         `json:"status"` // active, unsaved
	FallbackUsed    bool           `json:"fallback_used"`
	RepairTask      string         `json:"repair_task,omitempty"` // that saves them later
	CreatedAt       time.Time      `json:"created_at"`
	UpdatedAt       time.Time      `json:"updated_at"`
}

const (
	preferencesActive  = "active"
	preferencesUnsaved = "unsaved"
)

type preferencesInput struct {
	Account Account  `result:"create_user_account"`
	User    UserInfo `context:"user_info"`
	At      Endpoint `initialization:"."`
}

// snip:begin rest

// InitializePreferences saves the plan's defaults, with what the user wants
// otherwise. A registration does not wait for a theme: where the service is
// down it goes on without, says so, and leaves the saving to a task of its
// own.
func (r *Registration) InitializePreferences(ctx context.Context, in preferencesInput) (Preferences, error) {
	if err := in.Account.check(); err != nil {
		return Preferences{}, err
	}
	plan, known := plans[in.Account.Plan]
	if !known {
		return Preferences{}, unknownPlan(in.Account.Plan)
	}
	annotatePreferences(ctx, in.Account.Plan, len(in.User.Preferences))
	wanted := NewPreferences{in.Account.UserID, in.Account.Plan, merge(plan.Preferences, in.User.Preferences)}
	saved, err := r.savePreferences(ctx, in.At, wanted)
	result := Preferences{
		PreferencesID: saved.ID, UserID: wanted.UserID, Plan: wanted.Plan, Preferences: saved.Preferences,
		DefaultsApplied: len(plan.Preferences), Customizations: len(in.User.Preferences),
		Status: preferencesActive, CreatedAt: saved.CreatedAt, UpdatedAt: saved.UpdatedAt,
	}
	if err != nil && goesOnWithout(ctx, err) {
		return r.withoutSaving(ctx, wanted, result)
	}
	return result, err
}

// savePreferences saves the first preferences of a user, or finds those that
// they have.
func (r *Registration) savePreferences(
	ctx context.Context, at Endpoint, wanted NewPreferences,
) (saved UserPreferences, err error) {
	err = r.Preferences.Post(ctx, at, "/preferences", tasker.Key(ctx), wanted, &saved)
	if statusOf(err) == http.StatusConflict {
		saved = UserPreferences{}
		err = r.Preferences.Get(ctx, at, "/preferences/"+url.PathEscape(wanted.UserID), &saved)
		saved.ID = "existing_prefs_" + wanted.UserID
	}
	switch {
	case err != nil:
		return UserPreferences{}, err
	case saved.Fallback:
		// There are some, says one answer, and none, says the other. Defaults
		// are not what this user wants.
		return UserPreferences{}, tasker.Retryable("PREFERENCES_UNKNOWN", "the service has defaults and not the user's preferences")
	case saved.ID == "":
		return saved, tasker.Permanent("MISSING_PREFERENCES_ID", "the answer has no preferences_id")
	case saved.Preferences == nil:
		return saved, tasker.Permanent("MISSING_PREFERENCES_DATA", "the answer has no preferences")
	}
	return saved, nil
}

// snip:end rest

// goesOnWithout says that the service is away and waiting is over: at the
// last attempt, or at once where the breaker knows that it is down. What the
// service refuses is no outage, and fails.
func goesOnWithout(ctx context.Context, err error) bool {
	a := tasker.Current(ctx)
	last := a != nil && a.Number >= a.Max
	return mayHeal(err) && (last || codeOf(err) == codeOpen)
}

// withoutSaving goes on with preferences that nobody has saved yet. What the
// user asked for is known here and holds: an outage is no reason to write to
// people who wanted no mail.
func (r *Registration) withoutSaving(
	ctx context.Context, wanted NewPreferences, p Preferences,
) (Preferences, error) {
	repair, err := tasker.Submit(ctx, tasker.Request{
		Namespace: "microservices", Name: "repair_preferences",
		Context: repairContext{wanted.UserID, wanted.Plan, wanted.Preferences, correlationID(ctx)},
	})
	if err != nil {
		return Preferences{}, err
	}
	r.world.Say("preferences", "down: a registration goes on without saving them")
	now := time.Now().UTC()
	p.Preferences, p.Status = wanted.Preferences, preferencesUnsaved
	p.FallbackUsed, p.RepairTask = true, repair.ID.String()
	p.CreatedAt, p.UpdatedAt = now, now
	return p, nil
}

// merge puts what a user wants over the defaults, key by key.
func merge(defaults, custom map[string]any) map[string]any {
	merged := maps.Clone(defaults)
	maps.Copy(merged, custom)
	return merged
}

func annotatePreferences(ctx context.Context, plan string, custom int) {
	tasker.Annotate(ctx, "operation", "initialize_preferences")
	tasker.Annotate(ctx, "service", "preferences_service")
	tasker.Annotate(ctx, "plan", plan)
	tasker.Annotate(ctx, "custom_preferences_count", custom)
}
