package main

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// fragileRegistration is the registration as it is usually written first: a
// coordinator that calls one service after another, and tries each call again
// with a loop of its own. What is missing is somebody who owns the whole:
// where one service gives up, the others keep what they have, and nobody
// remembers how far it came.
type fragileRegistration struct {
	*Registration
	pause time.Duration // after the first failure; twice that after the second
}

func (r fragileRegistration) register(ctx context.Context, wanted NewUser) error {
	var user User
	if err := r.call(ctx, r.Users, "POST", "/users", wanted, &user); err != nil {
		return err
	}
	var profile Profile
	bill := NewProfile{UserID: user.ID, Plan: user.Plan}
	if err := r.call(ctx, r.Billing, "POST", "/profiles", bill, &profile); err != nil {
		return err
	}
	wishes := NewPreferences{user.ID, user.Plan, plans[user.Plan].Preferences}
	if err := r.call(ctx, r.Preferences, "POST", "/preferences", wishes, &UserPreferences{}); err != nil {
		return err
	}
	messages := messagesFor(accountOf(user, accountCreated), billingOf(profile), wishes.Preferences)
	welcome := NewSequence{user.ID, user.Plan, messages}
	if err := r.call(ctx, r.Notifications, "POST", "/sequences", welcome, &Sequence{}); err != nil {
		return err
	}
	active := UserStatus{Status: userActive}
	return r.call(ctx, r.Users, "PUT", "/users/"+user.ID+"/status", active, &active)
}

// call is the retry that everybody writes. To the service, each attempt is
// another request: it has another key. The loop repeats what cannot heal, and
// forgets everything when the process ends.
func (r fragileRegistration) call(ctx context.Context, c *Client, method, path string, body, answer any) error {
	var all error
	for attempt := range 3 {
		time.Sleep(time.Duration(attempt) * r.pause)
		err := c.send(ctx, endpoint(c.guard.service), method, path, rand.Text(), body, answer)
		if err == nil {
			return nil
		}
		all = errors.Join(all, err)
	}
	return all
}

func endpoint(service string) Endpoint {
	return Endpoint{BaseURL: "http://" + service + ".internal", TimeoutMS: 5000}
}
