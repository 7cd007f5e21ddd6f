package main

import (
	"context"
	"crypto/rand"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/payments"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// registry is how handlers were registered first: one map for the whole
// company, by name. Whoever registers a name last has it, and nobody is told.
type registry map[string]func(ctx context.Context, id string, amount money.Cents) (string, error)

// deployPayments registers the team's refund: it moves money.
func deployPayments(all registry, gateway *payments.Gateway) {
	all["process_refund"] = func(ctx context.Context, id string, amount money.Cents) (string, error) {
		refund, err := gateway.Refund(ctx, rand.Text(), id, amount)
		return refund.ID, err
	}
}

// deployCustomerSuccess registers the team's refund: it closes a ticket.
func deployCustomerSuccess(all registry, tickets *customersuccess.Tickets) {
	all["process_refund"] = func(ctx context.Context, id string, _ money.Cents) (string, error) {
		resolution, err := tickets.Resolve(ctx, id, "the customer was told that the money is on its way")
		return resolution.Note, err
	}
}
