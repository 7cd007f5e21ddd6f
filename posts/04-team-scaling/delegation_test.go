package main

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// toPaymentsContext is what payments is asked.
type toPaymentsContext struct {
	PaymentID     string  `json:"payment_id"`
	Amount        int64   `json:"refund_amount"`
	InitiatedBy   string  `json:"initiated_by"`
	TicketID      string  `json:"ticket_id"`
	ApprovalID    *string `json:"approval_id"`
	CorrelationID string  `json:"correlation_id"`
	Email         string  `json:"customer_email"`
}

func TestTheDelegatedRefundIsASubTaskWithTheParentsCorrelationID(t *testing.T) {
	t.Parallel()
	for store, args := range map[string][]string{"memory": nil, "postgres": {"-db", taskertest.Database(t)}} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, ticket("ticket_cs_789", "cust_1", 4999), args...)
			refundedOnce(t, o)
			parent, child := o.Tasks[0], o.Tasks[1]
			if child.ParentID != parent.ID || child.CorrelationID != parent.CorrelationID || child.CorrelationID == "" {
				t.Errorf("the sub-task has the parent %s and the correlation id %s; the parent is %s, its correlation id %s", child.ParentID, child.CorrelationID, parent.ID, parent.CorrelationID)
			}
			if child.Namespace != "payments" || child.Name != "process_refund" || child.Version != "2.1.0" {
				t.Errorf("the sub-task is %s/%s@%s", child.Namespace, child.Name, child.Version)
			}
			var asked toPaymentsContext
			if err := json.Unmarshal(child.Context, &asked); err != nil {
				t.Fatal(err)
			}
			given{"correlation_id": `"` + asked.CorrelationID + `"`, "delegated_task_id": `"` + child.ID + `"`}.in(t, parent, "execute_refund_workflow")
			given{"payment_id": `"` + asked.PaymentID + `"`}.in(t, parent, "validate_refund_request")
			if !regexp.MustCompile(`^cs-[0-9a-f]{16}$`).MatchString(asked.CorrelationID) || asked.InitiatedBy != "customer_success" ||
				asked.TicketID != "ticket_cs_789" || asked.Amount != 4999 || asked.Email != "customer@example.com" {
				t.Errorf("payments is asked %+v", asked)
			}
			given{"approval_id": `"` + *asked.ApprovalID + `"`}.in(t, parent, "get_manager_approval")
			if sent := child.Step("process_gateway_refund").Metadata; !regexp.MustCompile(`"X-Correlation-ID":\s*"` + asked.CorrelationID + `"`).Match(sent) {
				t.Errorf("the gateway does not hear of the correlation id: %s", sent)
			}
		})
	}
}

func TestACorrelationIDThatTheRequestBringsGoesAllTheWay(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, ticket("ticket_cs_789", "cust_gold_1", 4999, `"correlation_id": "cs_workflow_456"`, `"payment_id": "pay_987654321"`))
	refundedOnce(t, o)
	var asked toPaymentsContext
	if err := json.Unmarshal(o.Tasks[1].Context, &asked); err != nil {
		t.Fatal(err)
	}
	if asked.CorrelationID != "cs_workflow_456" || o.Tasks[0].CorrelationID != "cs_workflow_456" || o.Tasks[1].CorrelationID != "cs_workflow_456" {
		t.Errorf("the ids are %s, %s and %s", asked.CorrelationID, o.Tasks[0].CorrelationID, o.Tasks[1].CorrelationID)
	}
	if asked.PaymentID != "pay_987654321" {
		t.Errorf("the payment %s is refunded, and not the one that was named", asked.PaymentID)
	}
}

func TestADelegationThatIsTriedAgainFindsTheTaskThatItMade(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-fail", "execute_refund_workflow=2")
	refundedOnce(t, o)
	if s := o.Step("execute_refund_workflow"); s.Attempts != 3 {
		t.Errorf("it took %d attempts, want 3", s.Attempts)
	}
}

func TestTheTicketIsNotResolvedBeforeTheRefundIsDone(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-hang", "notify_customer=100ms")
	refundedOnce(t, o)
	var update struct {
		Note string `json:"resolution_note"`
	}
	_ = json.Unmarshal(o.Step("update_ticket_status").Result, &update)
	ticket, refund := o.Step("update_ticket_status"), o.Tasks[1]
	if ticket.FinishedAt.Before(refund.FinishedAt) || o.Step("execute_refund_workflow").FinishedAt.After(refund.FinishedAt) {
		t.Errorf("delegated at %v, refunded at %v, resolved at %v", o.Step("execute_refund_workflow").FinishedAt, refund.FinishedAt, ticket.FinishedAt)
	}
}

func TestARefundThatFailsForGoodFailsTheTicketsTaskAndSaysHow(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, ticket("ticket_1", "cust_gold_1", 6000, `"payment_id": "pay_test_12345abc"`), "-env", "test")
	e := o.Step("update_ticket_status").Error
	if o.Exit != 1 || e == nil || e.Code != "REFUND_FAILED" {
		t.Fatalf("exit %d, error %+v", o.Exit, e)
	}
	want := map[string]any{
		"failed_step": "validate_payment_eligibility", "failed_code": "REFUND_EXCEEDS_PAYMENT",
		"delegated_task_state": "error", "delegated_task_id": o.Tasks[1].ID,
	}
	for key, value := range want {
		if e.Context[key] != value {
			t.Errorf("its %s is %v, want %v", key, e.Context[key], value)
		}
	}
	refused := o.Tasks[1].Step("validate_payment_eligibility").Error
	if refused.Context["original_amount"] != 5999.0 || refused.Context["refund_amount"] != 6000.0 {
		t.Errorf("payments says %v", refused.Context)
	}
	if status := o.Notes.CustomerSuccess.Tickets["ticket_1"]; status != "in_progress" {
		t.Errorf("the ticket is %s", status)
	}
}

func TestOnlyTheTeamsThatPaymentsListsMaySubmitIntoIt(t *testing.T) {
	t.Parallel()
	refused := reader.Report(t, `{}`, "-task", "inventory/process_refund")
	e := refused.Step("refund_return").Error
	if refused.Exit != 1 || len(refused.Tasks) != 1 || e == nil || e.Code != "CALLER_NOT_ALLOWED" || refused.Notes.Payments.Refunds != 0 {
		t.Errorf("exit %d, %d tasks, %+v", refused.Exit, len(refused.Tasks), e)
	}
	listed := reader.Report(t, string(example))
	refundedOnce(t, listed)
}

// A team that deploys a version does not move its callers to it.
const nextYear = `
name: process_refund
namespace_name: payments
version: 3.0.0
input_schema: {type: object, required: [approved_by], properties: {approved_by: {type: string}}}
steps: [{name: refund_differently, handler: {callable: payments.NextYearHandler}}]
`

func TestAPinnedCallerStaysOnItsVersionWhenPaymentsDeploysTheNext(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		world := post.NewWorld()
		templates, handlers := everything(t, world)
		next, err := template.Load(fstest.MapFS{"next.yaml": {Data: []byte(nextYear)}}, "next.yaml")
		if err != nil {
			t.Fatal(err)
		}
		handlers["payments.NextYearHandler"] = tasker.Step(func(context.Context, struct{}) (string, error) { return "", nil })
		engine := taskertest.New(t, append(templates, next...), handlers, store)
		id := engine.Submit("customer_success/process_refund", json.RawMessage(ticket("ticket_1", "cust_gold_1", 4999)))
		engine.Await(id, "update_ticket_status", tasker.StepComplete)
		engine.Expect(id).Complete()
		rows, err := engine.Rows(t.Context(), tasker.Filter{Parent: id})
		if err != nil || len(rows) != 1 || rows[0].Version != "2.1.0" {
			t.Errorf("the refund went to %+v, %v", rows, err)
		}
	})
}

func TestTwoVersionsOfAWorkflowRunSideBySide(t *testing.T) {
	t.Parallel()
	input := payment("pay_test_12345abc", 4999, mail)
	older := reader.Report(t, input, "-task", "payments/process_refund@2.0.0")
	newer := reader.Report(t, input, "-task", "payments/process_refund@2.1.0")
	if older.Exit != 0 || older.Tasks[0].Version != "2.0.0" || !slices.Equal(stepsOf(older.Tasks[0]), paymentSteps[:3]) || older.Notes.Payments.Mails != 0 {
		t.Errorf("2.0.0: exit %d, %s, %v", older.Exit, older.Tasks[0].Version, stepsOf(older.Tasks[0]))
	}
	if newer.Exit != 0 || newer.Tasks[0].Version != "2.1.0" || !slices.Equal(stepsOf(newer.Tasks[0]), paymentSteps) || newer.Notes.Payments.Mails != 1 {
		t.Errorf("2.1.0: exit %d, %s, %v", newer.Exit, newer.Tasks[0].Version, stepsOf(newer.Tasks[0]))
	}
	if !regexp.MustCompile(`"deprecated_since":\s*"2.1.0"`).Match(older.Tasks[0].Context) || regexp.MustCompile("deprecated").Match(newer.Tasks[0].Context) {
		t.Errorf("the contexts are %s and %s", older.Tasks[0].Context, newer.Tasks[0].Context)
	}
	if o := reader.Report(t, `{"payment_id": "pay_1", "refund_amount": 100}`, "-task", "payments/process_refund@2.0.0"); o.Exit != 0 {
		t.Errorf("2.0.0 asks for an address: exit %d, %+v", o.Exit, o.Rejected)
	}
}

func TestTasksOfBothVersionsInOneEngineEachKeepTheirOwnSteps(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		templates, handlers := everything(t, post.NewWorld())
		engine := taskertest.New(t, templates, handlers, store)
		var all []tasker.ID
		for i := range 20 {
			made, err := engine.Engine.Submit(t.Context(), tasker.Request{
				Namespace: "payments", Name: "process_refund", Version: []string{"2.0.0", "2.1.0"}[i%2],
				Context: json.RawMessage(payment("pay_1", 100, mail)),
			})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, made.ID)
		}
		for i, id := range all {
			task := engine.Expect(id).Complete()
			if want := 3 + i%2; len(task.Steps) != want || task.Version != []string{"2.0.0", "2.1.0"}[i%2] {
				t.Errorf("task %d is of version %s and has %d steps, want %d", i, task.Version, len(task.Steps), want)
			}
		}
	})
}
