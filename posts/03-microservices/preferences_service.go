package main

import (
	"net/http"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// PreferencesService knows how each user wants things.
type PreferencesService struct {
	saved *post.Kept[SavedPreferences]
}

// SavedPreferences is what the service remembers, by user.
type SavedPreferences struct {
	ByUser map[string]*UserPreferences
	Keys   map[string]string // that saved them
}

// UserPreferences are how one user wants things.
type UserPreferences struct {
	ID          string         `json:"preferences_id"`
	UserID      string         `json:"user_id"`
	Plan        string         `json:"plan"`
	Preferences map[string]any `json:"preferences"`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
	Fallback    bool           `json:"fallback,omitempty"` // nothing is saved: these are the defaults
}

// NewPreferences asks to save the first preferences of a user.
type NewPreferences struct {
	UserID      string         `json:"user_id"`
	Plan        string         `json:"plan"`
	Preferences map[string]any `json:"preferences"`
}

func newPreferencesService(w *post.World) *PreferencesService {
	return &PreferencesService{post.Keep(w, "preferences", func() SavedPreferences {
		u := existingUser
		return SavedPreferences{Keys: map[string]string{}, ByUser: map[string]*UserPreferences{u.ID: {
			ID: "prefs_existing_001", UserID: u.ID, Plan: u.Plan, Preferences: plans[u.Plan].Preferences,
			CreatedAt: u.CreatedAt, UpdatedAt: u.CreatedAt,
		}}}
	})}
}

func (s *PreferencesService) routes(to *service) {
	to.handle("POST /preferences", s.create)
	to.handle("GET /preferences/{user}", s.find)
}

// create saves the first preferences of a user, once for each key.
func (s *PreferencesService) create(c *call) (any, error) {
	var wanted NewPreferences
	if err := c.read(&wanted); err != nil {
		return nil, err
	}
	var saved UserPreferences
	return &saved, do(c, s.saved, func(all *SavedPreferences) error {
		known := all.ByUser[wanted.UserID]
		switch {
		case known != nil && all.Keys[wanted.UserID] == c.key:
			saved = *known
		case known != nil:
			return refuse(http.StatusConflict, "the user has preferences")
		case wanted.UserID == "" || wanted.Preferences == nil:
			return refuse(http.StatusUnprocessableEntity, "there is no user, or nothing to save")
		default:
			now := time.Now().UTC()
			saved = UserPreferences{
				ID: post.DeriveID("prefs_", 12, c.key), UserID: wanted.UserID, Plan: wanted.Plan,
				Preferences: wanted.Preferences, CreatedAt: now, UpdatedAt: now,
			}
			kept := saved
			all.ByUser[wanted.UserID], all.Keys[wanted.UserID] = &kept, c.key
		}
		return nil
	})
}

// find gives the preferences of a user, or the defaults of the smallest plan
// for a user who has none yet.
func (s *PreferencesService) find(c *call) (any, error) {
	user := c.PathValue("user")
	answer := UserPreferences{UserID: user, Plan: "free", Fallback: true}
	answer.Preferences = plans[answer.Plan].Preferences
	return &answer, do(c, s.saved, func(all *SavedPreferences) error {
		if found := all.ByUser[user]; found != nil {
			answer = *found
		}
		return nil
	})
}
