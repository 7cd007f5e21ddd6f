package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

func TestMain(m *testing.M) { posttest.Main(m, main) }

// reader runs the post as its reader does.
var reader = posttest.Runner[noted]{Post: thisPost}

type outcome = posttest.Outcome[noted]

// noted is what the tests read of the report's notes.
type noted struct {
	Payments struct {
		Refunds      int      `json:"refunds"`
		Refunded     int64    `json:"refunded"`
		GatewayCalls int      `json:"gateway_calls"`
		Records      int      `json:"records"`
		ToReconcile  []string `json:"to_reconcile"`
		Mails        int      `json:"mails"`
	} `json:"payments"`
	CustomerSuccess struct {
		Tickets map[string]string `json:"tickets"`
	} `json:"customer_success"`
}

// ticket is a request to customer_success.
func ticket(id, customer string, cents int64, more ...string) string {
	return object(append([]string{
		fmt.Sprintf(`"ticket_id": %q, "customer_id": %q, "refund_amount": %d`, id, customer, cents),
		`"customer_email": "customer@example.com", "requested_by": "agent_17"`,
	}, more...))
}

// payment is a request to payments, by which a customer of that address is
// told.
func payment(id string, cents int64, email string, more ...string) string {
	return object(append([]string{
		fmt.Sprintf(`"payment_id": %q, "refund_amount": %d, "customer_email": %q`, id, cents, email),
	}, more...))
}

func object(fields []string) string { return "{" + strings.Join(fields, ", ") + "}" }

// toPayments has a run ask payments and not customer_success.
var toPayments = []string{"-task", "payments/process_refund"}

var (
	ticketSteps  = []string{"validate_refund_request", "check_refund_policy", "get_manager_approval", "execute_refund_workflow", "update_ticket_status"}
	paymentSteps = []string{"validate_payment_eligibility", "process_gateway_refund", "update_payment_records", "notify_customer"}
)

func stepsOf(task posttest.Task) (names []string) {
	for _, s := range task.Steps {
		names = append(names, s.Name)
	}
	return names
}

// refundedOnce checks that a ticket of 49.99 USD has left behind one refund
// and all that belongs to one.
func refundedOnce(t *testing.T, o outcome) {
	t.Helper()
	if o.Exit != 0 || len(o.Tasks) != 2 {
		t.Fatalf("exit %d, %d tasks\n%s%s", o.Exit, len(o.Tasks), o.Stdout, o.Stderr)
	}
	for _, task := range o.Tasks {
		for _, s := range task.Steps {
			if s.State != "complete" || s.Error != nil {
				t.Errorf("%s is %s, with error %v", s.Name, s.State, s.Error)
			}
		}
	}
	if !slices.Equal(stepsOf(o.Tasks[0]), ticketSteps) || !slices.Equal(stepsOf(o.Tasks[1]), paymentSteps) {
		t.Errorf("the steps are %v and %v", stepsOf(o.Tasks[0]), stepsOf(o.Tasks[1]))
	}
	if p := o.Notes.Payments; p.Refunds != 1 || p.Refunded != 4999 || p.Records != 1 || p.Mails != 1 || len(p.ToReconcile) != 0 {
		t.Errorf("payments is left with %+v", p)
	}
	for id, status := range o.Notes.CustomerSuccess.Tickets {
		if status != "resolved" {
			t.Errorf("ticket %s is %s", id, status)
		}
	}
}
