package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
)

// What undoes a step asks by the step's key, and not by its result: where an
// answer was lost there is no result, and the account may be there all the
// same. An account that was there before has another key, and stays.
//
// The engine undoes a step that is complete, and one with an attempt that
// failed in another way than by a permanent verdict: who knows what was done.
// A step that has said a permanent no, and nothing else, it leaves alone. So
// where a service did its work and only its answer is of no use, the handler
// takes the work back before it says no.

type undoInput struct {
	At Endpoint `initialization:"."`
}

// DeactivateUserAccount takes back the account, if this registration made it.
func (r *Registration) DeactivateUserAccount(
	ctx context.Context, in undoInput, _ *Account,
) (now UserStatus, err error) {
	err = r.Users.Post(ctx, in.At, "/users/deactivations", tasker.Key(ctx), nil, &now)
	return now, err
}

// Cancellation is a profile that was taken back, or will be.
type Cancellation struct {
	BillingID  string `json:"billing_id,omitempty"` // none where there was no profile
	Status     string `json:"status"`               // cancelled, promised
	CancelTask string `json:"cancel_task,omitempty"`
}

const cancellationPromised = "promised"

// CancelBillingProfile takes back the billing, if this registration made it.
// What failed may be down still, and the account must not wait for it: then
// the cancellation becomes a task of its own.
func (r *Registration) CancelBillingProfile(
	ctx context.Context, in undoInput, _ *Billing,
) (Cancellation, error) {
	cancelled, err := r.cancelProfile(ctx, in.At, tasker.Key(ctx))
	if err == nil {
		return cancelled, nil
	}
	if !mayHeal(err) {
		return Cancellation{}, err
	}
	task, err := tasker.Submit(ctx, tasker.Request{
		Namespace: "microservices", Name: "cancel_billing",
		Context: cancelContext{tasker.Key(ctx), correlationID(ctx)},
	})
	if err != nil {
		return Cancellation{}, err
	}
	return Cancellation{Status: cancellationPromised, CancelTask: task.ID.String()}, nil
}

func (r *Registration) cancelProfile(
	ctx context.Context, at Endpoint, key string,
) (cancelled Cancellation, err error) {
	err = r.Billing.Post(ctx, at, "/profiles/cancellations", key, nil, &cancelled)
	return cancelled, err
}
