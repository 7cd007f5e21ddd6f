package main

import (
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// figures are what a task left behind in its world.
type figures struct {
	charges, calls, refunds int
	charged, refunded       money.Amount
	stock                   map[string]int64
	orders, mails           int
}

func figuresOf(w *post.World, task tasker.ID) figures {
	s := newShop(w)
	f := figures{stock: map[string]int64{}}
	s.Gateway.ledger.Of(task, func(l Ledger) {
		f.charges, f.refunds = len(l.Charges), len(l.Refunds)
		for _, calls := range l.Calls {
			f.calls += calls
		}
		for _, c := range l.Charges {
			f.charged += c.Amount
		}
		for _, r := range l.Refunds {
			f.refunded += r.Amount
		}
	})
	s.Stock.shelves.Of(task, func(shelves Shelves) {
		for id, left := range shelves.Left {
			f.stock[fmt.Sprint(id)] = left
		}
	})
	s.Orders.book.Of(task, func(book OrderBook) { f.orders = book.standing() })
	s.Mail.outbox.Of(task, func(sent Outbox) { f.mails = len(sent) })
	return f
}

// notes are the figures for the report.
func notes(w *post.World, task tasker.ID) map[string]any {
	f := figuresOf(w, task)
	return map[string]any{
		"charges": f.charges, "charged": f.charged, "gateway_calls": f.calls, "refunds": f.refunds, "refunded": f.refunded,
		"stock": f.stock, "orders": f.orders, "mails": f.mails,
	}
}

// tell puts the figures into words.
func tell(w *post.World, task tasker.ID) []string {
	f := figuresOf(w, task)
	if f.charges == 0 {
		return []string{"nothing was charged"}
	}
	lines := []string{fmt.Sprintf("the card was charged %s USD in all: %s by %s of the gateway", f.charged, post.Count(f.charges, "charge"), post.Count(f.calls, "call"))}
	if f.refunds > 0 {
		lines = append(lines, fmt.Sprintf("%s USD went back to the card: %s", f.refunded, post.Count(f.refunds, "refund")))
	}
	return append(lines, fmt.Sprintf("%s written, %s sent", post.Count(f.orders, "order"), post.Count(f.mails, "mail")))
}
