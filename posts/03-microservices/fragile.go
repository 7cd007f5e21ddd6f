package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// fragileRegistration is the registration as it is usually written first: a
// coordinator that calls one service after another, and tries each call again
// with a loop of its own. Every loop is right. What is missing is somebody who
// owns the whole: where one service gives up, the others keep what they have,
// and nobody remembers how far it came.
func (r *Registration) fragileRegistration(ctx context.Context, wanted NewUser) error {
	var user User
	if err := tryThrice(func() error {
		return r.Users.send(ctx, endpoint("user"), "POST", "/users", rand.Text(), wanted, &user)
	}); err != nil {
		return fmt.Errorf("registration failed: %w", err)
	}
	var profile Profile
	if err := tryThrice(func() error {
		return r.Billing.send(ctx, endpoint("billing"), "POST", "/profiles", rand.Text(), NewProfile{UserID: user.ID, Plan: user.Plan}, &profile)
	}); err != nil {
		return fmt.Errorf("registration failed: %w", err)
	}
	preferences := NewPreferences{user.ID, user.Plan, plans[user.Plan].Preferences}
	if err := tryThrice(func() error {
		return r.Preferences.send(ctx, endpoint("preferences"), "POST", "/preferences", rand.Text(), preferences, &UserPreferences{})
	}); err != nil {
		return fmt.Errorf("registration failed: %w", err)
	}
	account := Account{UserID: user.ID, Email: user.Email, Plan: user.Plan}
	welcome := NewSequence{user.ID, user.Plan, messagesFor(account, billingOf(profile), preferences.Preferences)}
	if err := tryThrice(func() error {
		return r.Notifications.send(ctx, endpoint("notification"), "POST", "/sequences", rand.Text(), welcome, &Sequence{})
	}); err != nil {
		return fmt.Errorf("registration failed: %w", err)
	}
	active := UserStatus{Status: userActive}
	return tryThrice(func() error {
		return r.Users.send(ctx, endpoint("user"), "PUT", "/users/"+user.ID+"/status", "", active, &active)
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
