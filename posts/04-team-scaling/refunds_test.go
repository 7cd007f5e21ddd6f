package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

// The three scenarios of the two teams, and the tiers, with every figure.

// given are fields of a step's result, as they stand in the JSON.
type given map[string]string

func (g given) in(t *testing.T, task posttest.Task, step string) {
	t.Helper()
	var result map[string]json.RawMessage
	if err := json.Unmarshal(task.Step(step).Result, &result); err != nil {
		t.Fatalf("%s gave %s: %v", step, task.Step(step).Result, err)
	}
	for field, want := range g {
		if got := string(result[field]); got != want {
			t.Errorf("%s gave %s as its %s, want %s", step, got, field, want)
		}
	}
}

func (g given) match(t *testing.T, task posttest.Task, step string) {
	t.Helper()
	var result map[string]any
	if err := json.Unmarshal(task.Step(step).Result, &result); err != nil {
		t.Fatalf("%s gave %s: %v", step, task.Step(step).Result, err)
	}
	for field, want := range g {
		if got, _ := result[field].(string); !regexp.MustCompile("^(?:" + want + ")$").MatchString(got) {
			t.Errorf("%s gave %q as its %s, want %s", step, got, field, want)
		}
	}
}

const aTime = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`

func TestPaymentsRefundsAPayment(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, payment("pay_test_12345abc", 4999, "customer@example.com",
		`"refund_reason": "customer_request", "partial_refund": false`), toPayments...)
	if o.Exit != 0 || len(o.Tasks) != 1 || !slices.Equal(stepsOf(o.Tasks[0]), paymentSteps) || o.Tasks[0].Version != "2.1.0" {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	task := o.Tasks[0]
	given{
		"payment_validated": "true", "payment_id": `"pay_test_12345abc"`, "original_amount": "5999", "refund_amount": "4999",
		"payment_method": `"credit_card"`, "gateway_provider": `"MockPaymentGateway"`, "eligibility_status": `"eligible"`, "currency": `"USD"`,
	}.in(t, task, "validate_payment_eligibility")
	given{
		"refund_processed": "true", "refund_amount": "4999", "refund_status": `"processed"`, "partial_refund": "false",
		"refund_reason": `"customer_request"`, "currency": `"USD"`, "gateway_provider": `"MockPaymentGateway"`,
	}.in(t, task, "process_gateway_refund")
	given{
		"records_updated": "true", "payment_status": `"refunded"`, "refund_status": `"completed"`, "history_entries_created": "2",
	}.in(t, task, "update_payment_records")
	given{
		"notification_sent": "true", "delivery_status": `"delivered"`, "customer_email": `"customer@example.com"`,
		"notification_type": `"refund_confirmation"`, "refund_amount": "4999",
	}.in(t, task, "notify_customer")
	given{"validation_timestamp": aTime}.match(t, task, "validate_payment_eligibility")
	given{"refund_id": "rfnd_[0-9a-f]{24}", "gateway_transaction_id": "gtx_[0-9a-f]{20}", "processed_at": aTime, "estimated_arrival": aTime}.match(t, task, "process_gateway_refund")
	given{"record_id": "rec_[0-9a-f]{16}", "refund_id": "rfnd_[0-9a-f]{24}", "updated_at": aTime}.match(t, task, "update_payment_records")
	given{"message_id": "msg_[0-9a-f]{24}", "sent_at": aTime}.match(t, task, "notify_customer")
	for _, step := range paymentSteps {
		given{"namespace": `"payments"`}.in(t, task, step)
	}
	if p := o.Notes.Payments; p.Refunds != 1 || p.Refunded != 4999 || p.Records != 1 || p.Mails != 1 {
		t.Errorf("payments is left with %+v", p)
	}
}

func TestAPremiumCustomerIsRefundedWithoutAManager(t *testing.T) {
	t.Parallel()
	input := `{"ticket_id": "ticket_cs_789", "customer_id": "cust_premium_456", "refund_amount": 4999, "refund_reason": "Product defective",
		"customer_email": "premium@example.com", "agent_notes": "the customer is upset", "requires_approval": true}`
	o := reader.Report(t, input, "-approver", "nobody")
	refundedOnce(t, o)
	task := o.Tasks[0]
	given{"request_validated": "true", "ticket_status": `"open"`, "customer_tier": `"premium"`}.in(t, task, "validate_refund_request")
	given{"payment_id": "pay_[0-9a-f]{16}", "original_purchase_date": aTime}.match(t, task, "validate_refund_request")
	given{
		"policy_checked": "true", "policy_compliant": "true", "customer_tier": `"premium"`, "refund_window_days": "90",
		"days_since_purchase": "30", "within_refund_window": "true", "requires_approval": "false", "max_allowed_amount": "100000",
	}.in(t, task, "check_refund_policy")
	given{
		"approval_obtained": "true", "approval_required": "false", "auto_approved": "true",
		"approval_id": "null", "manager_id": "null", "manager_notes": "null",
	}.in(t, task, "get_manager_approval")
	given{
		"task_delegated": "true", "target_namespace": `"payments"`, "target_workflow": `"process_refund"`,
		"delegated_task_status": `"created"`, "delegated_task_id": `"` + o.Tasks[1].ID + `"`,
	}.in(t, task, "execute_refund_workflow")
	given{
		"ticket_updated": "true", "previous_status": `"in_progress"`, "new_status": `"resolved"`, "refund_completed": "true",
		"delegated_task_id": `"` + o.Tasks[1].ID + `"`,
	}.in(t, task, "update_ticket_status")
	correlation := strings.Trim(o.Result(t, "execute_refund_workflow", "correlation_id"), `"`)
	given{"resolution_note": `\$49\.99 refund completed by task ` + o.Tasks[1].ID + `, correlation ` + correlation}.match(t, task, "update_ticket_status")
	for _, step := range ticketSteps {
		given{"namespace": `"customer_success"`}.in(t, task, step)
	}
	given{"original_amount": "5999", "refund_amount": "4999"}.in(t, o.Tasks[1], "validate_payment_eligibility")
}

func TestEachTierHasAPolicyOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ customer, tier, window, max, approval string }{
		{"cust_1", "standard", "30", "10000", "true"},
		{"CUST-54321", "standard", "30", "10000", "true"},
		{"cust_gold_789", "gold", "60", "50000", "false"},
		{"CUST-GOLD-1", "gold", "60", "50000", "false"},
		{"cust_premium_456", "premium", "90", "100000", "false"},
		{"CUST-VIP", "premium", "90", "100000", "false"},
	} {
		t.Run(tt.customer, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, ticket("ticket_cs_789", tt.customer, 4999))
			refundedOnce(t, o)
			given{
				"customer_tier": `"` + tt.tier + `"`, "refund_window_days": tt.window, "days_since_purchase": "30",
				"max_allowed_amount": tt.max, "requires_approval": tt.approval,
			}.in(t, o.Tasks[0], "check_refund_policy")
			given{"approval_required": tt.approval}.in(t, o.Tasks[0], "get_manager_approval")
		})
	}
}

func TestAStandardCustomersRefundNamesTheManagerWhoApproved(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	refundedOnce(t, o)
	given{"auto_approved": "false", "approval_required": "true", "approval_obtained": "true"}.in(t, o.Tasks[0], "get_manager_approval")
	given{"approval_id": "appr_[0-9a-f]{16}", "manager_id": "mgr_[1-5]", "manager_notes": ".*cust_1.*"}.match(t, o.Tasks[0], "get_manager_approval")
	if s := o.Step("get_manager_approval"); s.Attempts != 1 || s.Max != 1 {
		t.Errorf("waiting for a manager took %d of %d attempts; it takes none besides the first", s.Attempts, s.Max)
	}
	if o.Took.Seconds() > 3 {
		t.Errorf("it took %v", o.Took)
	}
}

func TestWhatTheRequestSaysOfApprovalDoesNotMatter(t *testing.T) {
	t.Parallel()
	for _, wish := range []string{`"requires_approval": false`, `"requires_approval": true`} {
		standard := reader.Report(t, ticket("ticket_cs_789", "cust_1", 4999, wish))
		given{"approval_required": "true", "auto_approved": "false"}.in(t, standard.Tasks[0], "get_manager_approval")
		gold := reader.Report(t, ticket("ticket_cs_789", "cust_gold_789", 4999, wish))
		given{"approval_required": "false", "auto_approved": "true"}.in(t, gold.Tasks[0], "get_manager_approval")
	}
}

func TestAGoldTicketIsApprovedByThePolicyWhateverThePortalWouldSay(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"ticket_denied_1", "ticket_pending_1", "ticket_approval_timeout_1"} {
		refundedOnce(t, reader.Report(t, ticket(id, "cust_gold_789", 4999), "-approver", "nobody"))
	}
}

func TestTheEdgesOfAmountAndWindowAreInside(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ticket, customer string
		cents            int64
	}{
		{"ticket_1", "cust_1", 10000}, {"ticket_1", "cust_gold_1", 50000}, {"ticket_1", "cust_vip_1", 100000},
		{"ticket_days_30", "cust_1", 4999}, {"ticket_days_60", "cust_gold_1", 4999}, {"ticket_days_90", "cust_vip_1", 4999},
	} {
		if o := reader.Report(t, ticket(tt.ticket, tt.customer, tt.cents)); o.Exit != 0 || o.Notes.Payments.Refunded != tt.cents {
			t.Errorf("%+v: exit %d, refunded %d", tt, o.Exit, o.Notes.Payments.Refunded)
		}
	}
}

func TestTheMetadataOfEachStepNamesItsOperationAndItsService(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	headers := map[string][]string{
		"validate_refund_request":      {"X-Customer-Service-Platform", "X-Ticket-ID", "X-Customer-Tier"},
		"check_refund_policy":          {"X-Policy-Engine", "X-Customer-Tier", "X-Requires-Approval"},
		"get_manager_approval":         {"X-Approval-System", "X-Approval-ID", "X-Auto-Approved"},
		"execute_refund_workflow":      {"X-Target-Namespace", "X-Target-Workflow", "X-Delegated-Task-ID", "X-Correlation-ID"},
		"update_ticket_status":         {"X-Customer-Service-Platform", "X-Ticket-ID", "X-Ticket-Status"},
		"validate_payment_eligibility": {"X-Payment-Gateway", "X-Payment-ID", "X-Eligibility-Status"},
		"process_gateway_refund":       {"X-Gateway-Provider", "X-Refund-ID", "X-Gateway-Transaction-ID", "X-Correlation-ID"},
		"update_payment_records":       {"X-Payment-Record-Service", "X-Record-ID", "X-Payment-Status"},
		"notify_customer":              {"X-Notification-Service", "X-Message-ID", "X-Recipient"},
	}
	for _, task := range o.Tasks {
		for _, s := range task.Steps {
			var metadata struct {
				Operation string            `json:"operation"`
				Hints     map[string]any    `json:"execution_hints"`
				Headers   map[string]string `json:"http_headers"`
			}
			if err := json.Unmarshal(s.Metadata, &metadata); err != nil {
				t.Fatal(err)
			}
			if metadata.Operation != s.Name || len(metadata.Hints) == 0 {
				t.Errorf("%s has the metadata %s", s.Name, s.Metadata)
			}
			for _, header := range headers[s.Name] {
				if metadata.Headers[header] == "" {
					t.Errorf("%s has no %s: %v", s.Name, header, metadata.Headers)
				}
			}
		}
	}
}

func TestTheReasonIsMappedAndTheTextTravelsBesideIt(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"Product defective": "customer_request", "": "customer_request", "My card was STOLEN": "fraud",
		"I will dispute this": "chargeback", "charged twice": "system_error", "chargeback": "chargeback", "fraud": "fraud",
		"system_error": "system_error", "customer_request": "customer_request",
	} {
		o := reader.Report(t, ticket("ticket_1", "cust_gold_1", 4999, `"refund_reason": "`+text+`"`))
		if o.Exit != 0 {
			t.Fatalf("%q: exit %d\n%s", text, o.Exit, o.Stderr)
		}
		var context map[string]string
		_ = json.Unmarshal(o.Tasks[1].Context, &context) // it has numbers too
		if context["refund_reason"] != reason || context["reason_text"] != text {
			t.Errorf("%q is %q to payments, with the text %q; want %q", text, context["refund_reason"], context["reason_text"], reason)
		}
		given{"refund_reason": `"` + reason + `"`}.in(t, o.Tasks[1], "process_gateway_refund")
	}
}

func TestManyTicketsEachHaveAWorldOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-n", "20")
	if o.Exit != 0 || len(o.Tasks) != 40 || o.Notes.Payments.Refunds != 1 {
		t.Fatalf("exit %d, %d tasks, %+v\n%s", o.Exit, len(o.Tasks), o.Notes, o.Stderr)
	}
	for _, task := range o.Tasks {
		if want := map[string]string{"customer_success": "1.3.0", "payments": "2.1.0"}[task.Namespace]; task.Name != "process_refund" || task.Version != want {
			t.Errorf("there is a task %s/%s@%s", task.Namespace, task.Name, task.Version)
		}
	}
}
