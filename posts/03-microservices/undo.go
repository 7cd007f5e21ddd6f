package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
)

// What undoes a step asks by the step's key, and not by its result: where an
// answer was lost there is no result, and the account may be there all the
// same. An account that was there before has another key, and stays.

type undoInput struct {
	At Endpoint `initialization:"."`
}

// DeactivateUserAccount takes back the account, if this registration made it.
func (r *Registration) DeactivateUserAccount(ctx context.Context, in undoInput, _ *Account) (UserStatus, error) {
	var now UserStatus
	err := r.Users.Post(ctx, in.At, "/users/deactivations", tasker.Key(ctx), nil, &now)
	return now, err
}

// CancelBillingProfile takes back the billing, if this registration made it.
func (r *Registration) CancelBillingProfile(ctx context.Context, in undoInput, _ *Billing) (CancelledProfile, error) {
	var cancelled CancelledProfile
	err := r.Billing.Post(ctx, in.At, "/profiles/cancellations", tasker.Key(ctx), nil, &cancelled)
	return cancelled, err
}
