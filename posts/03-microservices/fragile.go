package main

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// fragileRegistration is the registration as it is usually written first: a
// coordinator that calls one service after another, and tries each call again
// with a loop of its own. Every loop is right. What is missing is somebody who
// owns the whole: where one service gives up, the others keep what they have,
// and nobody remembers how far it came.
func (r *Registration) fragileRegistration(ctx context.Context, wanted NewUser) error {
	var user User
	if err := fragilePost(ctx, r.Users, "user", "/users", wanted, &user); err != nil {
		return err
	}
	var profile Profile
	bill := NewProfile{UserID: user.ID, Plan: user.Plan}
	if err := fragilePost(ctx, r.Billing, "billing", "/profiles", bill, &profile); err != nil {
		return err
	}
	wishes := NewPreferences{user.ID, user.Plan, plans[user.Plan].Preferences}
	if err := fragilePost(ctx, r.Preferences, "preferences", "/preferences", wishes, &UserPreferences{}); err != nil {
		return err
	}
	messages := messagesFor(accountOf(user, accountCreated), billingOf(profile), wishes.Preferences)
	welcome := NewSequence{user.ID, user.Plan, messages}
	if err := fragilePost(ctx, r.Notifications, "notification", "/sequences", welcome, &Sequence{}); err != nil {
		return err
	}
	active := UserStatus{Status: userActive}
	return tryThrice(func() error {
		return r.Users.send(ctx, endpoint("user"), "PUT", "/users/"+user.ID+"/status", "", active, &active)
	})
}

// fragilePost makes up a new key for each attempt: to the service, each of
// them is another request.
func fragilePost(ctx context.Context, c *Client, service, path string, body, answer any) error {
	return tryThrice(func() error {
		return c.send(ctx, endpoint(service), "POST", path, rand.Text(), body, answer)
	})
}

// tryThrice is the retry that everybody writes. It repeats what cannot heal,
// and forgets everything when the process ends.
func tryThrice(call func() error) error {
	var all error
	for attempt := range 3 {
		time.Sleep(time.Duration(attempt) * time.Millisecond)
		err := call()
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
