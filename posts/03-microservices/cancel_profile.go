package main

import "context"

// cancelContext is the input of the task cancel_billing.
type cancelContext struct {
	Key           string `json:"key"` // that the profile was made with
	CorrelationID string `json:"correlation_id"`
}

type cancelInput struct {
	Key string   `context:"key"`
	At  Endpoint `initialization:"."`
}

// CancelProfile keeps the promise of an undoing: the billing service was down
// when the registration failed, and a profile may be left there.
func (r *Registration) CancelProfile(ctx context.Context, in cancelInput) (Cancellation, error) {
	return r.cancelProfile(ctx, in.At, in.Key)
}
