package customersuccess

import (
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

// RefundRequest is what this team asks of payments. Payments' input schema is
// the other half of the contract, and contract_test.go holds the two together.
type RefundRequest struct {
	PaymentID     string      `json:"payment_id"`
	Amount        money.Cents `json:"refund_amount"`
	Currency      string      `json:"currency"`
	Reason        string      `json:"refund_reason"` // one of payments' own
	ReasonText    string      `json:"reason_text,omitempty"`
	CustomerEmail string      `json:"customer_email"`
	InitiatedBy   string      `json:"initiated_by"`
	ApprovalID    *string     `json:"approval_id"`
	TicketID      string      `json:"ticket_id"`
	CorrelationID string      `json:"correlation_id"`
}

func (in delegateInput) request() RefundRequest {
	return RefundRequest{
		PaymentID: in.Request.PaymentID, Amount: in.Amount, Currency: "USD",
		Reason: reasonOf(in.Reason), ReasonText: in.Reason, CustomerEmail: in.Email,
		InitiatedBy: Namespace, ApprovalID: in.Approval.ApprovalID,
		TicketID: in.Request.TicketID, CorrelationID: in.CorrelationID,
	}
}

// reasons are the words by which a text is one of the reasons that payments
// knows; the first one counts.
var reasons = []struct{ word, reason string }{
	{"chargeback", "chargeback"},
	{"dispute", "chargeback"},
	{"fraud", "fraud"},
	{"stolen", "fraud"},
	{"system error", "system_error"},
	{"system_error", "system_error"},
	{"charged twice", "system_error"},
}

// reasonOf says in payments' words what a customer says in their own. What
// they mean by any other text is that they want their money.
func reasonOf(text string) string {
	for _, r := range reasons {
		if strings.Contains(strings.ToLower(text), r.word) {
			return r.reason
		}
	}
	return "customer_request"
}
