package payments

import (
	"maps"
	"slices"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Figures are what a task left behind at the team's services.
type Figures struct {
	Refunds      int         `json:"refunds"`
	Refunded     money.Cents `json:"refunded"`
	GatewayCalls int         `json:"gateway_calls"`
	Records      int         `json:"records"`
	ToReconcile  []string    `json:"to_reconcile"` // refund ids
	Mails        int         `json:"mails"`
}

// Figures reads the world of a task.
func (d *Desk) Figures(task tasker.ID) Figures {
	f := Figures{ToReconcile: []string{}}
	d.Gateway.ledger.Of(task, func(l Ledger) {
		f.Refunds, f.GatewayCalls = len(l.Refunds), l.Calls
		for _, r := range l.Refunds {
			f.Refunded += r.Amount
		}
	})
	d.Books.pages.Of(task, func(p Pages) {
		f.Records = len(p.Records)
		f.ToReconcile = append(f.ToReconcile, slices.Sorted(maps.Keys(p.ToReconcile))...)
	})
	d.Mail.outbox.Of(task, func(sent Outbox) { f.Mails = len(sent) })
	return f
}
