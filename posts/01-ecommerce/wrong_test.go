package main

import (
	"strings"
	"testing"
	"time"
)

// whatCanGoWrong is the post's table of errors: for each order what its step
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
	charges    int
	state      string
}{
	{name: "a declined card is never tried again", input: order("tok_test_declined", "38.38", 1, 1), step: "process_payment", kind: "permanent", code: "PAYMENT_DECLINED", attempts: 1, exit: 1},
	{name: "nor is one without funds", input: order("tok_test_insufficient_funds", "38.38", 1, 1), step: "process_payment", kind: "permanent", code: "PAYMENT_DECLINED", attempts: 1, exit: 1},
	{name: "nor an invalid one", input: order("tok_test_invalid_card", "38.38", 1, 1), step: "process_payment", kind: "permanent", code: "PAYMENT_DECLINED", attempts: 1, exit: 1},
	{name: "a dead network uses up all attempts", input: order("tok_test_network_error", "38.38", 1, 1), step: "process_payment", kind: "retryable", code: "GATEWAY_TIMEOUT", attempts: 3, retryAfter: 15_000, exit: 1},
	{name: "so does a gateway that is down", input: order("tok_test_unavailable", "38.38", 1, 1), step: "process_payment", kind: "retryable", code: "GATEWAY_UNAVAILABLE", attempts: 3, retryAfter: 15_000, exit: 1},
	{name: "and one that is overrun", input: order("tok_test_rate_limited", "38.38", 1, 1), step: "process_payment", kind: "retryable", code: "RATE_LIMITED", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "and one that says what nobody knows", input: order("tok_test_unknown", "38.38", 1, 1), step: "process_payment", kind: "retryable", code: "UNKNOWN_PAYMENT_STATUS", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "a cent too little is not charged", input: order("tok_test_valid", "124.75", 1, 2, 2, 1), step: "process_payment", kind: "permanent", code: "PAYMENT_AMOUNT_MISMATCH", attempts: 1, exit: 1},
	{name: "nor a cent too much", input: order("tok_test_valid", "124.77", 1, 2, 2, 1), step: "process_payment", kind: "permanent", code: "PAYMENT_AMOUNT_MISMATCH", attempts: 1, exit: 1},
	{name: "a product that is out of stock may come back", input: order("tok_test_valid", "49.18", 4, 1), step: "validate_cart", kind: "retryable", code: "INSUFFICIENT_STOCK", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "more than there is may come back too", input: order("tok_test_valid", "554.72", 3, 26), step: "validate_cart", kind: "retryable", code: "INSUFFICIENT_STOCK", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "two lines of a product count together", input: order("tok_test_valid", "554.72", 3, 20, 3, 20), step: "validate_cart", kind: "retryable", code: "INSUFFICIENT_STOCK", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "a quantity beyond all bounds is just too much", input: order("tok_test_valid", "1.00", 1, 9_000_000_000_000_000_000, 1, 9_000_000_000_000_000_000), step: "validate_cart", kind: "retryable", code: "INSUFFICIENT_STOCK", attempts: 3, retryAfter: 30_000, exit: 1},
	{name: "an unknown product stays unknown", input: order("tok_test_valid", "38.38", 99, 1), step: "validate_cart", kind: "permanent", code: "PRODUCT_NOT_FOUND", attempts: 1, exit: 1},
	{name: "a product that is not sold any more stays so", input: order("tok_test_valid", "70.78", 5, 1), step: "validate_cart", kind: "permanent", code: "PRODUCT_INACTIVE", attempts: 1, exit: 1},
	{name: "no method", input: strings.Replace(order("tok_test_valid", "38.38", 1, 1), "credit_card", "", 1), step: "process_payment", kind: "permanent", code: "MISSING_PAYMENT_METHOD", attempts: 1, exit: 1},
	{name: "no token", input: order("", "38.38", 1, 1), step: "process_payment", kind: "permanent", code: "MISSING_PAYMENT_TOKEN", attempts: 1, exit: 1},
	{name: "another currency", input: strings.Replace(order("tok_test_valid", "38.38", 1, 1), `"amount"`, `"currency": "EUR", "amount"`, 1), step: "process_payment", kind: "permanent", code: "CURRENCY_NOT_SUPPORTED", attempts: 1, exit: 1},
	{name: "a mailer that stays down leaves a paid order", input: customerOrder(`"email": "mailer-down@example.com", "name": "R"`, "tok_test_valid", "38.38", 1, 1), step: "send_confirmation", kind: "retryable", code: "MAILER_UNAVAILABLE", attempts: 5, retryAfter: 30_000, exit: 0, charges: 1, state: "complete"},
	{name: "so does one that refuses the address", input: customerOrder(`"email": "mailer-refuses@example.com", "name": "R"`, "tok_test_valid", "38.38", 1, 1), step: "send_confirmation", kind: "permanent", code: "INVALID_EMAIL", attempts: 1, exit: 0, charges: 1, state: "complete"},
	{name: "and one that is overrun", input: customerOrder(`"email": "mailer-limited@example.com", "name": "R"`, "tok_test_valid", "38.38", 1, 1), step: "send_confirmation", kind: "retryable", code: "RATE_LIMITED", attempts: 5, retryAfter: 60_000, exit: 0, charges: 1, state: "complete"},
	{name: "an order that cannot be written leaves a charge and its refund", input: order("tok_test_valid", "38.38", 1, 1), args: []string{"-fail", "create_order=permanent"}, step: "create_order", kind: "permanent", code: "INJECTED_FAILURE", attempts: 1, exit: 1, charges: 1},
}

func TestWhatCanGoWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range whatCanGoWrong {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, tt.input, append([]string{"-env", "test"}, tt.args...)...)
			if o.Exit != tt.exit {
				t.Errorf("exit %d, want %d\n%s", o.Exit, tt.exit, o.Stderr)
			}
			if len(o.Tasks) == 0 {
				t.Fatalf("there is no task: rejected %+v", o.Rejected)
			}
			state := tt.state
			if state == "" {
				state = "error"
			}
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
			if o.Notes.Charges != tt.charges {
				t.Errorf("the ledger shows %d charges, want %d", o.Notes.Charges, tt.charges)
			}
			if o.Took > time.Second {
				t.Errorf("it took %v, want under a second", o.Took)
			}
			after := false
			for _, later := range o.Tasks[0].Steps {
				if after && later.Attempts > 0 {
					t.Errorf("%s ran after %s had failed", later.Name, tt.step)
				}
				after = after || later.Name == tt.step
			}
		})
	}
}
