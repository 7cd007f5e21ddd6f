// Package customersuccess is the refund workflow of the team that talks to
// customers: it decides whether money goes back, and has payments move it. Of
// payments it knows the name of a workflow and its input, and nothing else.
package customersuccess

import (
	"embed"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Namespace is the team's own: every template and every handler of it.
const Namespace = "customer_success"

// Templates is process_refund. Payments has a workflow of that name too.
//
//go:embed templates/*.yaml
var Templates embed.FS

// Desk is what the team's handlers work with.
type Desk struct {
	Tickets *Tickets
	Now     func() time.Time // a purchase is old or not by this clock
}

// New makes the team's desk upon a world.
func New(w *post.World) *Desk {
	return &Desk{Tickets: newTickets(w), Now: time.Now}
}

// Handlers is the team's table of contents.
func (d *Desk) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"customer_success.ValidateRefundRequestHandler": tasker.Step(d.ValidateRefundRequest),
		"customer_success.CheckRefundPolicyHandler":     tasker.Step(d.CheckRefundPolicy),
		"customer_success.GetManagerApprovalHandler":    tasker.Step(d.GetManagerApproval),
		"customer_success.ExecuteRefundWorkflowHandler": tasker.Step(d.ExecuteRefundWorkflow),
		"customer_success.UpdateTicketStatusHandler":    tasker.Step(d.UpdateTicketStatus),
	}
}
