package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// whatCanGoWrong is the post's table of errors: for each request what its step
// ends with, and what the run exits with.
var whatCanGoWrong = []struct {
	name       string
	input      string
	args       []string
	step       string
	kind, code string
	attempts   int
	retryAfter int64 // ms
	exit       int
	refunds    int // that the gateway has made
	reconcile  int // of these, what the books may not know
}{
	// payments
	{name: "a payment without funds", input: payment("pay_test_insufficient_1", 4999, mail), args: toPayments, step: "validate_payment_eligibility", kind: "permanent", code: "INSUFFICIENT_FUNDS", attempts: 1, exit: 1},
	{name: "one past its refund window", input: payment("pay_test_ineligible_1", 4999, mail), args: toPayments, step: "validate_payment_eligibility", kind: "permanent", code: "PAYMENT_INELIGIBLE", attempts: 1, exit: 1},
	{name: "one that is still processed", input: payment("pay_test_processing_1", 4999, mail), args: toPayments, step: "validate_payment_eligibility", kind: "retryable", code: "PAYMENT_PROCESSING", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "one in a status that nobody knows", input: payment("pay_test_unknown_1", 4999, mail), args: toPayments, step: "validate_payment_eligibility", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "more than was paid", input: payment("pay_test_12345abc", 6000, mail), args: toPayments, step: "validate_payment_eligibility", kind: "permanent", code: "REFUND_EXCEEDS_PAYMENT", attempts: 1, exit: 1},
	{name: "a gateway that is silent", input: payment("pay_test_gateway_timeout_1", 4999, mail), args: toPayments, step: "process_gateway_refund", kind: "retryable", code: "GATEWAY_TIMEOUT", attempts: 2, retryAfter: 30_000, exit: 1},
	{name: "a gateway that refuses", input: payment("pay_test_gateway_error_1", 4999, mail), args: toPayments, step: "process_gateway_refund", kind: "permanent", code: "GATEWAY_REFUND_FAILED", attempts: 1, exit: 1},
	{name: "a gateway that is overrun", input: payment("pay_test_rate_limit_1", 4999, mail), args: toPayments, step: "process_gateway_refund", kind: "retryable", code: "RATE_LIMITED", attempts: 2, retryAfter: 60_000, exit: 1},
	{name: "a refund that hangs", input: payment("pay_test_refund_pending_1", 4999, mail), args: toPayments, step: "process_gateway_refund", kind: "retryable", code: "REFUND_PENDING", attempts: 2, retryAfter: 15_000, exit: 1},
	{name: "a gateway that says what nobody knows", input: payment("pay_test_gateway_unknown_1", 4999, mail), args: toPayments, step: "process_gateway_refund", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 2, retryAfter: 30_000, exit: 1},
	{name: "books that are locked", input: payment("pay_test_record_lock_1", 4999, mail), args: toPayments, step: "update_payment_records", kind: "retryable", code: "RECORD_LOCKED", attempts: 3, retryAfter: 10_000, exit: 1, refunds: 1, reconcile: 1},
	{name: "books that fail", input: payment("pay_test_record_error_1", 4999, mail), args: toPayments, step: "update_payment_records", kind: "retryable", code: "UPDATE_FAILED", attempts: 3, retryAfter: 30_000, exit: 1, refunds: 1, reconcile: 1},
	{name: "books that say what nobody knows", input: payment("pay_test_record_unknown_1", 4999, mail), args: toPayments, step: "update_payment_records", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 3, retryAfter: 30_000, exit: 1, refunds: 1, reconcile: 1},
	{name: "books without the payment", input: payment("pay_test_not_found_1", 4999, mail), args: toPayments, step: "update_payment_records", kind: "permanent", code: "PAYMENT_NOT_FOUND", attempts: 1, exit: 1, refunds: 1, reconcile: 1},

	// The mail is optional: the refund stands.
	{name: "no address", input: payment("pay_1", 4999, ""), args: toPayments, step: "notify_customer", kind: "permanent", code: "MISSING_CUSTOMER_EMAIL", attempts: 1, refunds: 1},
	{name: "what is no address", input: payment("pay_1", 4999, "a@b@c"), args: toPayments, step: "notify_customer", kind: "permanent", code: "INVALID_EMAIL_FORMAT", attempts: 1, refunds: 1},
	{name: "an address that bounces", input: payment("pay_1", 4999, "c@test_bounce.example"), args: toPayments, step: "notify_customer", kind: "permanent", code: "EMAIL_BOUNCED", attempts: 1, refunds: 1},
	{name: "an address that does not exist", input: payment("pay_1", 4999, "c@test_invalid.example"), args: toPayments, step: "notify_customer", kind: "permanent", code: "INVALID_EMAIL", attempts: 1, refunds: 1},
	{name: "a mailer that is overrun", input: payment("pay_1", 4999, "c@test_rate_limit.example"), args: toPayments, step: "notify_customer", kind: "retryable", code: "RATE_LIMITED", attempts: 5, retryAfter: 60_000, refunds: 1},
	{name: "a mailer that fails", input: payment("pay_1", 4999, "c@test_failed.example"), args: toPayments, step: "notify_customer", kind: "retryable", code: "NOTIFICATION_FAILED", attempts: 5, retryAfter: 30_000, refunds: 1},
	{name: "a mailer in error", input: payment("pay_1", 4999, "c@test_error.example"), args: toPayments, step: "notify_customer", kind: "retryable", code: "NOTIFICATION_FAILED", attempts: 5, retryAfter: 30_000, refunds: 1},
	{name: "a mailer that says what nobody knows", input: payment("pay_1", 4999, "c@test_unknown.example"), args: toPayments, step: "notify_customer", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 5, retryAfter: 30_000, refunds: 1},

	// customer_success
	{name: "no ticket", input: ticket("", "cust_1", 4999), step: "validate_refund_request", kind: "permanent", code: "MISSING_REQUIRED_FIELDS", attempts: 1, exit: 1},
	{name: "no customer", input: ticket("ticket_1", "", 4999), step: "validate_refund_request", kind: "permanent", code: "MISSING_REQUIRED_FIELDS", attempts: 1, exit: 1},
	{name: "no amount", input: ticket("ticket_1", "cust_1", 0), step: "validate_refund_request", kind: "permanent", code: "MISSING_REQUIRED_FIELDS", attempts: 1, exit: 1},
	{name: "a closed ticket", input: ticket("ticket_closed_1", "cust_1", 4999), step: "validate_refund_request", kind: "permanent", code: "TICKET_CLOSED", attempts: 1, exit: 1},
	{name: "a cancelled ticket", input: ticket("ticket_cancelled_1", "cust_1", 4999), step: "validate_refund_request", kind: "permanent", code: "TICKET_CANCELLED", attempts: 1, exit: 1},
	{name: "a second ticket about the same", input: ticket("ticket_duplicate_1", "cust_1", 4999), step: "validate_refund_request", kind: "permanent", code: "TICKET_DUPLICATE", attempts: 1, exit: 1},
	{name: "a ticket in a status that nobody knows", input: ticket("ticket_unknown_1", "cust_1", 4999), step: "validate_refund_request", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "a cent too much for standard", input: ticket("ticket_1", "cust_1", 10001), step: "check_refund_policy", kind: "permanent", code: "EXCEEDS_AMOUNT_LIMIT", attempts: 1, exit: 1},
	{name: "a cent too much for gold", input: ticket("ticket_1", "cust_gold_1", 50001), step: "check_refund_policy", kind: "permanent", code: "EXCEEDS_AMOUNT_LIMIT", attempts: 1, exit: 1},
	{name: "a cent too much for premium", input: ticket("ticket_1", "CUST-VIP", 100001), step: "check_refund_policy", kind: "permanent", code: "EXCEEDS_AMOUNT_LIMIT", attempts: 1, exit: 1},
	{name: "what a standard customer may not have", input: ticket("TICKET-98765", "CUST-54321", 12000), step: "check_refund_policy", kind: "permanent", code: "EXCEEDS_AMOUNT_LIMIT", attempts: 1, exit: 1},
	{name: "a day too late for standard", input: ticket("ticket_days_31", "cust_1", 4999), step: "check_refund_policy", kind: "permanent", code: "OUTSIDE_REFUND_WINDOW", attempts: 1, exit: 1},
	{name: "a day too late for gold", input: ticket("ticket_days_61", "cust_gold_1", 4999), step: "check_refund_policy", kind: "permanent", code: "OUTSIDE_REFUND_WINDOW", attempts: 1, exit: 1},
	{name: "a day too late for premium, and too much: the window comes first", input: ticket("ticket_days_91", "cust_vip_1", 100001), step: "check_refund_policy", kind: "permanent", code: "OUTSIDE_REFUND_WINDOW", attempts: 1, exit: 1},
	{name: "a manager who says no", input: ticket("ticket_1", "cust_1", 4999), args: []string{"-approver", "deny"}, step: "get_manager_approval", kind: "permanent", code: "APPROVAL_DENIED", attempts: 1, exit: 1},
	{name: "a portal that has said no", input: ticket("ticket_denied_1", "cust_1", 4999), step: "get_manager_approval", kind: "permanent", code: "APPROVAL_DENIED", attempts: 1, exit: 1},
	{name: "a portal that has not decided", input: ticket("ticket_pending_1", "cust_1", 4999), step: "get_manager_approval", kind: "retryable", code: "APPROVAL_PENDING", attempts: 1, retryAfter: 60_000, exit: 1},
	{name: "a portal that is silent", input: ticket("ticket_approval_timeout_1", "cust_1", 4999), step: "get_manager_approval", kind: "retryable", code: "APPROVAL_TIMEOUT", attempts: 1, retryAfter: 120_000, exit: 1},
	{name: "a portal that says what nobody knows", input: ticket("ticket_approval_unknown_1", "cust_1", 4999), step: "get_manager_approval", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 1, retryAfter: 60_000, exit: 1},
	{name: "a ticket about no payment", input: ticket("ticket_no_payment", "cust_gold_1", 4999), step: "execute_refund_workflow", kind: "permanent", code: "MISSING_PAYMENT_ID", attempts: 1, exit: 1},
	{name: "a ticket that is locked", input: ticket("ticket_locked_1", "cust_gold_1", 4999), step: "update_ticket_status", kind: "retryable", code: "TICKET_LOCKED", attempts: 3, retryAfter: 15_000, exit: 1, refunds: 1},
	{name: "a ticket that cannot be written", input: ticket("ticket_update_error_1", "cust_gold_1", 4999), step: "update_ticket_status", kind: "retryable", code: "UPDATE_FAILED", attempts: 3, retryAfter: 30_000, exit: 1, refunds: 1},
	{name: "a platform that says what nobody knows", input: ticket("ticket_update_unknown_1", "cust_gold_1", 4999), step: "update_ticket_status", kind: "retryable", code: "UNKNOWN_STATUS", attempts: 3, retryAfter: 30_000, exit: 1, refunds: 1},
	{name: "a ticket that is gone", input: ticket("ticket_not_found_1", "cust_gold_1", 4999), step: "update_ticket_status", kind: "permanent", code: "TICKET_NOT_FOUND", attempts: 1, exit: 1, refunds: 1},
	{name: "a ticket that is somebody else's", input: ticket("ticket_unauthorized_1", "cust_gold_1", 4999), step: "update_ticket_status", kind: "permanent", code: "UNAUTHORIZED", attempts: 1, exit: 1, refunds: 1},

	// What fails at payments fails the ticket, which stays as it was.
	{name: "a refund that payments refuses", input: ticket("ticket_1", "cust_gold_1", 4999, `"payment_id": "pay_test_ineligible_1"`), step: "update_ticket_status", kind: "permanent", code: "REFUND_FAILED", attempts: 1, exit: 1},
	{name: "a refund of more than was paid", input: ticket("ticket_1", "cust_gold_1", 6000, `"payment_id": "pay_test_12345abc"`), step: "update_ticket_status", kind: "permanent", code: "REFUND_FAILED", attempts: 1, exit: 1},
	{name: "a refund that the books do not know", input: ticket("ticket_1", "cust_gold_1", 4999, `"payment_id": "pay_test_record_error_1"`), step: "update_ticket_status", kind: "permanent", code: "REFUND_FAILED", attempts: 1, exit: 1, refunds: 1, reconcile: 1},
	{name: "a team that is not let in", input: `{}`, args: []string{"-task", "inventory/process_refund"}, step: "refund_return", kind: "permanent", code: "CALLER_NOT_ALLOWED", attempts: 1, exit: 1},
}

const mail = "customer@example.com"

func TestWhatCanGoWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range whatCanGoWrong {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, tt.input, append([]string{"-env", "test"}, tt.args...)...)
			if o.Exit != tt.exit || len(o.Tasks) == 0 {
				t.Fatalf("exit %d, want %d; %d tasks, rejected %+v\n%s", o.Exit, tt.exit, len(o.Tasks), o.Rejected, o.Stderr)
			}
			state := map[int]string{0: "complete", 1: "error"}[tt.exit]
			s := o.Step(tt.step)
			switch {
			case o.Tasks[0].State != state:
				t.Errorf("the task is %s, want %s", o.Tasks[0].State, state)
			case s.Error == nil:
				t.Fatalf("%s has no error", tt.step)
			case s.Error.Kind != tt.kind || s.Error.Code != tt.code || s.Error.RetryAfterMS != tt.retryAfter:
				t.Errorf("%s ends by %s %s, retry after %d ms, want %s %s, %d ms", tt.step, s.Error.Kind, s.Error.Code, s.Error.RetryAfterMS, tt.kind, tt.code, tt.retryAfter)
			}
			if s.Attempts != tt.attempts {
				t.Errorf("%s took %d attempts, want %d", tt.step, s.Attempts, tt.attempts)
			}
			if p := o.Notes.Payments; p.Refunds != tt.refunds || len(p.ToReconcile) != tt.reconcile {
				t.Errorf("there are %d refunds, %v of them to be reconciled, want %d and %d", p.Refunds, p.ToReconcile, tt.refunds, tt.reconcile)
			}
			if warned := len(o.Tasks[0].Warnings) > 0; warned != (tt.exit == 0) {
				t.Errorf("the warnings are %q", o.Tasks[0].Warnings)
			}
			for id, status := range o.Notes.CustomerSuccess.Tickets {
				if status == "resolved" {
					t.Errorf("ticket %s is resolved", id)
				}
			}
			if o.Took > 3*time.Second {
				t.Errorf("it took %v, want under 3s", o.Took)
			}
			at := slices.Index(stepsOf(o.Tasks[0]), tt.step)
			for _, later := range o.Tasks[0].Steps[at+1:] {
				if later.Attempts > 0 {
					t.Errorf("%s ran after %s had failed", later.Name, tt.step)
				}
			}
		})
	}
}

func TestARefundThatCannotBeRecordedIsReconciledByItsID(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"the books refuse":                     {"-fail", "update_payment_records=permanent"},
		"the gateway's answers are lost, both": {"-fail", "process_gateway_refund=9"},
		"and the reconciling is tried again":   {"-fail", "process_gateway_refund=9", "-fail", "undo:process_gateway_refund=3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, payment("pay_test_12345abc", 4999, mail), append(append([]string{"-env", "test"}, args...), toPayments...)...)
			p := o.Notes.Payments
			if o.Exit != 1 || p.Refunds != 1 || p.Records != 0 || len(p.ToReconcile) != 1 {
				t.Fatalf("exit %d, %+v\n%s", o.Exit, p, o.Stderr)
			}
			undo := o.Step("process_gateway_refund").Compensation
			if undo == nil || undo.State != "complete" || !strings.Contains(string(undo.Result), p.ToReconcile[0]) || !strings.Contains(string(undo.Result), "4999") {
				t.Errorf("the reconciling gave %+v, want refund %s", undo, p.ToReconcile[0])
			}
		})
	}
}

func TestARefundThatCannotEvenBeReconciledIsBlockedForAPerson(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, ticket("ticket_1", "cust_gold_1", 4999), "-env", "test",
		"-fail", "update_payment_records=permanent", "-fail", "undo:process_gateway_refund=permanent")
	if o.Exit != 1 || len(o.Tasks) != 2 || o.Tasks[0].State != "waiting" || o.Tasks[1].State != "blocked_by_failures" || o.Notes.Payments.Refunds != 1 {
		t.Errorf("exit %d, the tasks are %+v", o.Exit, o.Tasks)
	}
}

func TestWhereNoMoneyHasMovedThereIsNothingToReconcile(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, payment("pay_test_gateway_timeout_1", 4999, mail), append([]string{"-env", "test"}, toPayments...)...)
	undo := o.Step("process_gateway_refund").Compensation
	if undo == nil || undo.State != "complete" || strings.Contains(string(undo.Result), "refund_id") || len(o.Notes.Payments.ToReconcile) != 0 {
		t.Errorf("the reconciling is %+v, %v", undo, o.Notes.Payments.ToReconcile)
	}
}

func TestInputThatIsRejectedNeverBecomesATask(t *testing.T) {
	t.Parallel()
	good, paid := ticket("ticket_1", "cust_1", 4999), payment("pay_1", 4999, mail)
	for _, tt := range []struct {
		name, input string
		args        []string
		path        string
	}{
		{"no ticket", strings.Replace(good, `"ticket_id"`, `"ticket"`, 1), nil, "/ticket_id"},
		{"no customer", strings.Replace(good, `"customer_id"`, `"customer"`, 1), nil, "/customer_id"},
		{"no address", strings.Replace(good, `"customer_email"`, `"email"`, 1), nil, "/customer_email"},
		{"an address that is empty", strings.Replace(good, "customer@example.com", "", 1), nil, "/customer_email"},
		{"dollars with decimals", strings.Replace(good, "4999", "49.99", 1), nil, "/refund_amount"},
		{"less than nothing", strings.Replace(good, "4999", "-1", 1), nil, "/refund_amount"},
		{"more than a JSON number holds exactly", strings.Replace(good, "4999", "1000000000000000000", 1), nil, "/refund_amount"},
		{"a payment by another name", ticket("t", "c", 1, `"payment_id": "payment-7"`), nil, "/payment_id"},
		{"a payment by another name, to payments", payment("pay-1", 4999, mail), toPayments, "/payment_id"},
		{"nothing to refund", payment("pay_1", 0, mail), toPayments, "/refund_amount"},
		{"more than a JSON number holds exactly, to payments", payment("pay_1", 1<<62, mail), toPayments, "/refund_amount"},
		{"a fraction of a cent", strings.Replace(paid, "4999", "4999.5", 1), toPayments, "/refund_amount"},
		{"a reason in free text", payment("pay_1", 4999, mail, `"refund_reason": "Product defective"`), toPayments, "/refund_reason"},
		{"another currency", payment("pay_1", 4999, mail, `"currency": "EUR"`), toPayments, "/currency"},
		{"nobody to tell", strings.Replace(paid, `"customer_email"`, `"email"`, 1), toPayments, "/customer_email"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, tt.input, append([]string{"-env", "test"}, tt.args...)...)
			if o.Exit != 2 || len(o.Tasks) != 0 || o.Rejected == nil || o.Rejected.Code != "INVALID_INPUT" || o.Stderr == "" {
				t.Fatalf("exit %d, %d tasks, rejected %+v\n%s", o.Exit, len(o.Tasks), o.Rejected, o.Stderr)
			}
			if len(o.Rejected.Errors) != 1 || o.Rejected.Errors[0].Path != tt.path {
				t.Errorf("the violations are %+v, want one at %q", o.Rejected.Errors, tt.path)
			}
		})
	}
}

func TestEveryStepSurvivesALostAnswerWithoutDoingItsWorkTwice(t *testing.T) {
	t.Parallel()
	for _, step := range slices.Concat(ticketSteps, paymentSteps) {
		if step == "get_manager_approval" {
			continue // it has one attempt
		}
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, string(example), "-env", "test", "-fail", step+"=1")
			refundedOnce(t, o)
			for _, task := range o.Tasks {
				if s := task.Step(step); s.Name != "" && s.Attempts != 2 {
					t.Errorf("%s took %d attempts, want 2", step, s.Attempts)
				}
			}
			given{"previous_status": `"in_progress"`, "new_status": `"resolved"`}.in(t, o.Tasks[0], "update_ticket_status")
		})
	}
}

func TestWrongUsageIsOneLineAndExitTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-nonsense"}, {"-n", "0"}, {"surplus"}, {"-approver"}, {"-approver", "somebody"}, {"-clash", "nothing"},
		{"-clash", "template"}, {"-clash", "version"}, {"-clash", "handler"}, {"-fail", "proces_refund=1"}, {"-hang", "update_ticket_status"},
		{"-task", "payments/process_refund@1.9.9"}, {"-task", "process_refund"}, {"-env", "tset"}, {"-input", "no-such-file.json"},
		{"-crash-after", "process_gateway_refund"}, {"-db", "mysql"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			o := reader.Run(t, "", args...)
			if o.Exit != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || !strings.HasPrefix(o.Stderr, "04-team-scaling: ") {
				t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
			}
		})
	}
}

func TestHelpNamesThePostsOwnFlags(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-h")
	for _, want := range []string{"-approver WHO", "-clash WHAT", "default customer_success/process_refund"} {
		if o.Exit != 0 || !strings.Contains(o.Stdout, want) {
			t.Errorf("exit %d; the help does not say %q:\n%s", o.Exit, want, o.Stdout)
		}
	}
}
