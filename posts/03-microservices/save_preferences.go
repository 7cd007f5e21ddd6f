package main

import "context"

// repairContext is the input of the task repair_preferences.
type repairContext struct {
	UserID        string         `json:"user_id"`
	Plan          string         `json:"plan"`
	Preferences   map[string]any `json:"preferences"`
	CorrelationID string         `json:"correlation_id"`
}

// Repaired are preferences that were saved after the registration.
type Repaired struct {
	PreferencesID string `json:"preferences_id"`
	UserID        string `json:"user_id"`
}

type saveInput struct {
	UserID      string         `context:"user_id"`
	Plan        string         `context:"plan"`
	Preferences map[string]any `context:"preferences"`
	At          Endpoint       `initialization:"."`
}

// SavePreferences repairs what a registration went on without. Preferences
// that are there already stay: an answer was lost, or the user has chosen
// since.
func (r *Registration) SavePreferences(ctx context.Context, in saveInput) (Repaired, error) {
	saved, err := r.savePreferences(ctx, in.At, NewPreferences{in.UserID, in.Plan, in.Preferences})
	return Repaired{saved.ID, in.UserID}, err
}
