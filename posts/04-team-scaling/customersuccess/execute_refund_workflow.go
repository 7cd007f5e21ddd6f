package customersuccess

import (
	"cmp"
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Delegation is a task that runs in another team's namespace.
type Delegation struct {
	Delegated       bool      `json:"task_delegated"`
	TargetNamespace string    `json:"target_namespace"`
	TargetWorkflow  string    `json:"target_workflow"`
	TargetVersion   string    `json:"target_version"`
	TaskID          tasker.ID `json:"delegated_task_id"`
	TaskStatus      string    `json:"delegated_task_status"`
	DelegatedAt     time.Time `json:"delegation_timestamp"`
	CorrelationID   string    `json:"correlation_id"`
	Namespace       string    `json:"namespace"`
}

// Target is the workflow to which refunds are delegated. Its version is
// pinned: what payments deploys next is taken up when this team is ready.
type Target struct {
	Namespace string `json:"target_namespace"`
	Workflow  string `json:"target_workflow"`
	Version   string `json:"target_version"`
}

type delegateInput struct {
	Target        Target          `initialization:"."`
	Amount        money.Cents     `context:"refund_amount"`
	Reason        string          `context:"refund_reason"`
	Email         string          `context:"customer_email"`
	CorrelationID string          `context:"correlation_id"`
	Request       ValidRequest    `result:"validate_refund_request"`
	Approval      ManagerApproval `result:"get_manager_approval"`
}

// ExecuteRefundWorkflow has payments move the money: it makes a task in their
// namespace, a child of this one, and does not wait for it. The step's key is
// the task's too, so a second attempt finds the task that the first one made.
func (d *Desk) ExecuteRefundWorkflow(ctx context.Context, in delegateInput) (Delegation, error) {
	switch {
	case !in.Approval.Obtained:
		return Delegation{}, tasker.Permanent("MISSING_APPROVAL", "nobody has approved the refund")
	case in.Request.PaymentID == "":
		return Delegation{}, tasker.Permanent("MISSING_PAYMENT_ID", "the ticket is about no payment")
	}
	if err := d.Tickets.Begin(ctx, in.Request.TicketID); err != nil {
		return Delegation{}, err
	}
	key := tasker.Key(ctx)
	in.CorrelationID = cmp.Or(in.CorrelationID, post.DeriveID("cs-", 16, key))
	made, err := tasker.Submit(ctx, tasker.Request{
		Namespace: in.Target.Namespace, Name: in.Target.Workflow, Version: in.Target.Version,
		Context: in.request(), IdempotencyKey: key,
	})
	if err != nil {
		return Delegation{}, err
	}
	noteDelegation(ctx, in, made.ID)
	return Delegation{
		Delegated: true, TargetNamespace: in.Target.Namespace, TargetWorkflow: in.Target.Workflow,
		TargetVersion: in.Target.Version, TaskID: made.ID, TaskStatus: "created",
		DelegatedAt: time.Now().UTC(), CorrelationID: in.CorrelationID, Namespace: Namespace,
	}, nil
}

func noteDelegation(ctx context.Context, in delegateInput, task tasker.ID) {
	tasker.Annotate(ctx, "operation", "execute_refund_workflow")
	tasker.Annotate(ctx, "execution_hints", in.Target)
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Target-Namespace":  in.Target.Namespace,
		"X-Target-Workflow":   in.Target.Workflow,
		"X-Delegated-Task-ID": task.String(),
		"X-Correlation-ID":    in.CorrelationID,
	})
}
