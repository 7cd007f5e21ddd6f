package main

import (
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// figures are what a task left behind with the four services, besides what
// was there before it.
type figures struct {
	requests                   int // to create the account
	users, active, deactivated int
	profiles, cancelled        int
	saved, messages            int
}

func figuresOf(w *post.World, task tasker.ID) (f figures) {
	newUserService(w).users.Of(task, func(all Users) {
		f.requests, f.users = all.Requests, len(all.ByKey)
		for _, id := range all.ByKey {
			switch all.ByID[id].Status {
			case userActive:
				f.active++
			case userDeactivated:
				f.deactivated++
			}
		}
	})
	newBillingService(w).profiles.Of(task, func(all Profiles) {
		for _, p := range all.ByKey {
			if p.Status == billingActive {
				f.profiles++
			} else {
				f.cancelled++
			}
		}
	})
	newPreferencesService(w).saved.Of(task, func(all SavedPreferences) { f.saved = len(all.Keys) })
	newNotificationService(w).sent.Of(task, func(all Sent) { f.messages = len(all.Messages) })
	return f
}

// notes are the figures for the report: those of one task's world, and how
// many calls the breakers have spared all tasks of this process.
func notes(w *post.World, task tasker.ID) map[string]any {
	f := figuresOf(w, task)
	calls, spared := 0, 0
	for _, s := range services(w) {
		calls, spared = calls+s.Calls, spared+s.Spared
	}
	return map[string]any{
		"create_requests": f.requests, "users_created": f.users,
		"users_active": f.active, "users_deactivated": f.deactivated,
		"billing_profiles": f.profiles, "billing_cancelled": f.cancelled,
		"preferences_saved": f.saved, "messages": f.messages,
		"calls": calls, "calls_spared": spared,
	}
}

// tell puts the figures into words.
func tell(w *post.World, task tasker.ID) []string {
	f := figuresOf(w, task)
	lines := []string{fmt.Sprintf("%s by %s: %d active, %d deactivated",
		post.Count(f.users, "new account"), post.Count(f.requests, "request"), f.active, f.deactivated)}
	if f.users == 0 {
		lines[0] = "no new account"
	}
	billing := post.Count(f.profiles, "billing profile")
	if f.cancelled > 0 {
		billing += fmt.Sprintf(" and %d cancelled", f.cancelled)
	}
	saved, sent := post.Count(f.saved, "user"), post.Count(f.messages, "message")
	return append(lines, fmt.Sprintf("%s, preferences of %s saved, %s sent", billing, saved, sent))
}
