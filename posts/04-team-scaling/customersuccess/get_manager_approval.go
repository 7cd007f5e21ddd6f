package customersuccess

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// ManagerApproval says who let the refund pass; nobody where none had to.
type ManagerApproval struct {
	Obtained     bool      `json:"approval_obtained"`
	Required     bool      `json:"approval_required"`
	AutoApproved bool      `json:"auto_approved"`
	ApprovalID   *string   `json:"approval_id"`
	ManagerID    *string   `json:"manager_id"`
	ManagerNotes *string   `json:"manager_notes"`
	ApprovedAt   time.Time `json:"approved_at"`
	Namespace    string    `json:"namespace"`
}

type approvalInput struct {
	Amount      money.Cents  `context:"refund_amount"`
	Reason      string       `context:"refund_reason"`
	RequestedBy string       `context:"requested_by"`
	ExpiresMS   int64        `initialization:"expires_ms"`
	Request     ValidRequest `result:"validate_refund_request"`
	Policy      PolicyCheck  `result:"check_refund_policy"`
}

// ApprovalRequest is what a manager reads before answering.
type ApprovalRequest struct {
	TicketID    string      `json:"ticket_id"`
	CustomerID  string      `json:"customer_id"`
	Amount      money.Cents `json:"refund_amount"`
	Reason      string      `json:"refund_reason,omitempty"`
	RequestedBy string      `json:"requested_by,omitempty"` // who must not be the one to approve
}

// GetManagerApproval waits for a manager, where the policy wants one. Waiting
// holds nothing: the step is parked, and neither a restart nor a night without
// any worker matters to it.
func (d *Desk) GetManagerApproval(ctx context.Context, in approvalInput) (ManagerApproval, error) {
	if !in.Policy.Checked {
		return ManagerApproval{}, tasker.Permanent("MISSING_POLICY_CHECK", "the policy was not checked")
	}
	if !in.Policy.RequiresApproval {
		return in.approval(ctx, nil), nil
	}
	if err := d.Tickets.Portal(in.Request.TicketID); err != nil {
		return ManagerApproval{}, approvalVerdicts.Of(err)
	}
	answer, err := in.ask(ctx)
	switch {
	case err != nil:
		return ManagerApproval{}, err
	case !answer.Approved:
		return ManagerApproval{}, tasker.Permanent("APPROVAL_DENIED", "%s has denied it: %s",
			cmp.Or(answer.By, "somebody"), cmp.Or(answer.Reason, "no reason is given")).
			With("manager_id", answer.By)
	}
	return in.approval(ctx, &answer), nil
}

// ask asks until the answer is one that counts. Nobody approves what they have
// asked for themselves, and nobody approves without a name: such a yes stands
// in the history, and the question is put once more.
func (in approvalInput) ask(ctx context.Context) (tasker.Approval, error) {
	for round := 1; ; round++ {
		answer, err := tasker.Ask[tasker.Approval](ctx, tasker.Question{
			Name: fmt.Sprintf("approval %d", round),
			Prompt: ApprovalRequest{
				TicketID: in.Request.TicketID, CustomerID: in.Request.CustomerID,
				Amount: in.Amount, Reason: in.Reason, RequestedBy: in.RequestedBy,
			},
			Expires: time.Duration(in.ExpiresMS) * time.Millisecond,
		})
		signed := answer.By != "" && answer.By != in.RequestedBy
		if err != nil || !answer.Approved || signed {
			return answer, err
		}
		tasker.Annotate(ctx, "refused_approvals", round)
	}
}

// approval is the result: by answer, or by the policy where that is nil.
func (in approvalInput) approval(ctx context.Context, answer *tasker.Approval) ManagerApproval {
	result := ManagerApproval{
		Obtained: true, AutoApproved: true, ApprovedAt: time.Now().UTC(), Namespace: Namespace,
	}
	id := "N/A"
	if answer != nil {
		id = post.DeriveID("appr_", 16, tasker.Key(ctx))
		notes := cmp.Or(answer.Reason, "approved for "+in.Request.CustomerID)
		result.Required, result.AutoApproved = true, false
		result.ApprovalID, result.ManagerID, result.ManagerNotes = &id, &answer.By, &notes
	}
	tasker.Annotate(ctx, "operation", "get_manager_approval")
	tasker.Annotate(ctx, "execution_hints", approvalHints{result.Required, result.AutoApproved, result.ManagerID})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Approval-System": "ManagerApprovalPortal",
		"X-Approval-ID":     id,
		"X-Auto-Approved":   strconv.FormatBool(result.AutoApproved),
	})
	return result
}

var approvalVerdicts = sim.Verdicts{
	"denied":     {Code: "APPROVAL_DENIED"},
	"pending":    {Code: "APPROVAL_PENDING", RetryAfter: 60 * time.Second},
	"timeout":    {Code: "APPROVAL_TIMEOUT", RetryAfter: 120 * time.Second},
	sim.Anything: {Code: "UNKNOWN_STATUS", RetryAfter: 60 * time.Second},
}

type approvalHints struct {
	Required     bool    `json:"approval_required"`
	AutoApproved bool    `json:"auto_approved"`
	ManagerID    *string `json:"manager_id"`
}
