package main

import (
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Registration is what the handlers work with: a client for each of the four
// services.
type Registration struct {
	Users         *Client
	Billing       *Client
	Preferences   *Client
	Notifications *Client

	world *post.World
}

func newRegistration(w *post.World) *Registration {
	c := companyOf(w)
	return &Registration{
		Users:         c.client("user"),
		Billing:       c.client("billing"),
		Preferences:   c.client("preferences"),
		Notifications: c.client("notification"),
		world:         w,
	}
}

// Handlers is the workflow's table of contents.
func (r *Registration) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"microservices.CreateUserAccountHandler":     tasker.Step(r.CreateUserAccount),
		"microservices.DeactivateUserAccountHandler": tasker.Undo(r.DeactivateUserAccount),
		"microservices.SetupBillingProfileHandler":   tasker.Step(r.SetupBillingProfile),
		"microservices.CancelBillingProfileHandler":  tasker.Undo(r.CancelBillingProfile),
		"microservices.CancelProfileHandler":         tasker.Step(r.CancelProfile),
		"microservices.InitializePreferencesHandler": tasker.Step(r.InitializePreferences),
		"microservices.SavePreferencesHandler":       tasker.Step(r.SavePreferences),
		"microservices.SendWelcomeSequenceHandler":   tasker.Step(r.SendWelcomeSequence),
		"microservices.UpdateUserStatusHandler":      tasker.Step(r.UpdateUserStatus),
	}
}
