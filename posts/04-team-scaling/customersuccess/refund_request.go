package customersuccess

import (
	"slices"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

// RefundRequest is what this team asks of payments. Payments' input schema is
// the other half of the contract, and contract_test.go holds the two together.
// What payments requires is left out where it is empty: an empty text would be
// there, as the schema sees it.
type RefundRequest struct {
	PaymentID     string      `json:"payment_id,omitempty"`
	Amount        money.Cents `json:"refund_amount"`
	Currency      string      `json:"currency"`
	Reason        string      `json:"refund_reason"` // one of payments' own
	ReasonText    string      `json:"reason_text,omitempty"`
	CustomerEmail string      `json:"customer_email,omitempty"`
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

// reasons are those that payments knows. An agent may pick one of them.
var reasons = []string{"customer_request", "fraud", "system_error", "chargeback"}

// reasonOf gives a reason that was picked as it is. Anything else is a text, and
// does not choose where payments' books put the refund, whatever its words are.
func reasonOf(text string) string {
	if slices.Contains(reasons, text) {
		return text
	}
	return "customer_request"
}
