// Package payments is the refund workflow of the team that moves the money. It
// knows nothing of the teams that ask it to.
package payments

import (
	"embed"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Namespace is the team's own: every template and every handler of it.
const Namespace = "payments"

// Templates are process_refund, in the versions that run side by side.
//
//go:embed templates/*.yaml
var Templates embed.FS

// Desk is what the team's handlers work with.
type Desk struct {
	Gateway *Gateway
	Books   *Books
	Mail    *Mailer
}

// New makes the team's desk upon a world.
func New(w *post.World) *Desk {
	return &Desk{Gateway: newGateway(w), Books: newBooks(w), Mail: newMailer(w)}
}

// Handlers is the team's table of contents.
func (d *Desk) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"payments.AdmitCallerHandler":                tasker.OnSubmit(d.AdmitCaller),
		"payments.ValidatePaymentEligibilityHandler": tasker.Step(d.ValidatePaymentEligibility),
		"payments.ProcessGatewayRefundHandler":       tasker.Step(d.ProcessGatewayRefund),
		"payments.ReconcileRefundHandler":            tasker.Undo(d.ReconcileRefund),
		"payments.UpdatePaymentRecordsHandler":       tasker.Step(d.UpdatePaymentRecords),
		"payments.NotifyCustomerHandler":             tasker.Step(d.NotifyCustomer),
	}
}
