package customersuccess

import (
	"context"
	"fmt"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// TicketUpdate is a ticket that is resolved.
type TicketUpdate struct {
	Updated         bool      `json:"ticket_updated"`
	TicketID        string    `json:"ticket_id"`
	PreviousStatus  string    `json:"previous_status"`
	NewStatus       string    `json:"new_status"`
	ResolutionNote  string    `json:"resolution_note"`
	UpdatedAt       time.Time `json:"updated_at"`
	RefundCompleted bool      `json:"refund_completed"`
	DelegatedTaskID tasker.ID `json:"delegated_task_id"`
	Namespace       string    `json:"namespace"`
}

type ticketInput struct {
	TicketID   string      `context:"ticket_id"`
	Amount     money.Cents `context:"refund_amount"`
	ExpiresMS  int64       `initialization:"expires_ms"`
	Delegation Delegation  `result:"execute_refund_workflow"`
}

// snip:begin rest

// UpdateTicketStatus waits until payments is done, and only then tells the
// customer that the ticket is resolved. A refund that has failed for good
// fails this task too, and so does one that has not ended after a day.
func (d *Desk) UpdateTicketStatus(ctx context.Context, in ticketInput) (TicketUpdate, error) {
	if !in.Delegation.Delegated {
		return TicketUpdate{}, tasker.Permanent("MISSING_DELEGATION", "no refund was delegated")
	}
	// snip:begin wait
	refund, err := tasker.Await(ctx, in.Delegation.TaskID, time.Duration(in.ExpiresMS)*time.Millisecond)
	switch {
	case err != nil:
		return TicketUpdate{}, err
	case refund.State != tasker.TaskComplete:
		return TicketUpdate{}, refundFailed(refund)
	}
	// snip:end wait
	note := fmt.Sprintf("$%s refund completed by task %s, correlation %s",
		in.Amount, in.Delegation.TaskID, in.Delegation.CorrelationID)
	resolution, err := d.Tickets.Resolve(ctx, in.TicketID, note)
	if err != nil {
		return TicketUpdate{}, updateVerdicts.Of(err)
	}
	noteResolution(ctx, in.TicketID, resolution)
	return TicketUpdate{
		Updated: true, TicketID: in.TicketID, PreviousStatus: resolution.Previous, NewStatus: "resolved",
		ResolutionNote: resolution.Note, UpdatedAt: resolution.At, RefundCompleted: true,
		DelegatedTaskID: in.Delegation.TaskID, Namespace: Namespace,
	}, nil
}

// refundFailed tells how the refund ended. What payments does about money that
// may have moved is theirs, so this says what is known and whom to ask.
func refundFailed(refund *tasker.Task) error {
	failure := tasker.Permanent("REFUND_FAILED", "task %s of %s is %s; ask them before the customer is told",
		refund.ID, refund.Namespace, refund.State)
	for i := range refund.Steps {
		if s := &refund.Steps[i]; s.State == tasker.StepError && s.Error != nil {
			failure.Message += fmt.Sprintf(" (%s: %s)", s.Name, s.Error.Code)
			failure = failure.With("failed_step", s.Name).With("failed_code", s.Error.Code)
			break
		}
	}
	return failure.With("delegated_task_id", refund.ID).With("delegated_task_state", refund.State)
}

// snip:end rest

var updateVerdicts = sim.Verdicts{
	"not_found":    {Code: "TICKET_NOT_FOUND"},
	"unauthorized": {Code: "UNAUTHORIZED"},
	"locked":       {Code: "TICKET_LOCKED", RetryAfter: 15 * time.Second},
	"error":        {Code: "UPDATE_FAILED", RetryAfter: 30 * time.Second},
	sim.Anything:   {Code: "UNKNOWN_STATUS", RetryAfter: 30 * time.Second},
}

func noteResolution(ctx context.Context, ticket string, resolution Resolution) {
	tasker.Annotate(ctx, "operation", "update_ticket_status")
	tasker.Annotate(ctx, "execution_hints", ticketHints{ticket, resolution.Previous, "resolved"})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Customer-Service-Platform": platform,
		"X-Ticket-ID":                 ticket,
		"X-Ticket-Status":             "resolved",
	})
}

type ticketHints struct {
	TicketID       string `json:"ticket_id"`
	PreviousStatus string `json:"previous_status"`
	TicketStatus   string `json:"ticket_status"`
}
