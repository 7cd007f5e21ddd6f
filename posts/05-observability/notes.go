package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// figures are what a checkout left behind in its world.
type figures struct {
	charged, refunded money.Amount
	stock             map[string]int64
	orders, mails     int
	page              Page
}

func figuresOf(w *post.World, task tasker.ID) (f figures) {
	s := newShop(w, incident{})
	s.Gateway.ledger.Of(task, func(l Ledger) {
		for _, c := range l.Charges {
			f.charged += c.Amount
			if c.Refunded {
				f.refunded += c.Amount
			}
		}
	})
	s.Stock.shelves.Of(task, func(shelves Shelves) { f.stock = shelves.Left })
	s.Orders.book.Of(task, func(book OrderBook) {
		for _, o := range book {
			if !o.Cancelled {
				f.orders++
			}
		}
	})
	s.Mail.outbox.Of(task, func(sent Outbox) { f.mails = len(sent) })
	f.page = journalOf(w).page(task)
	return f
}

// notes are the figures for the report: what the first checkout left behind,
// and what the run's telemetry says.
func notes(w *post.World, task tasker.ID) map[string]any {
	f, t := figuresOf(w, task), telemetryOf(w)
	var alerts []string
	for _, a := range t.Alerts.All() {
		alerts = append(alerts, fmt.Sprintf("%s %s %s", a.Level, a.Name, a.Step))
	}
	return map[string]any{
		"charged": f.charged, "refunded": f.refunded, "stock": f.stock, "orders": f.orders, "mails": f.mails,
		"journal": map[string]any{"events": f.page.Events, "earned": f.page.Earned, "lost": f.page.Lost},
		"spans":   len(t.Spans.Trace(task.String())), "alerts": alerts, "events": t.Events.All(),
		"metrics": samples(t.scraped(thatMatter...)),
	}
}

// samples are lines of the text format, by their series.
func samples(lines []string) map[string]float64 {
	all := map[string]float64{}
	for _, line := range lines {
		at := strings.LastIndexByte(line, ' ')
		all[line[:at]], _ = strconv.ParseFloat(line[at+1:], 64) // a text that was just made
	}
	return all
}

// tell puts the figures of one checkout into words.
func tell(w *post.World, task tasker.ID) []string {
	f := figuresOf(w, task)
	money := fmt.Sprintf("%s USD were charged", f.charged)
	if f.refunded > 0 {
		money += fmt.Sprintf(", %s went back", f.refunded)
	}
	return []string{
		fmt.Sprintf("%s; %s written, %s sent", money, post.Count(f.orders, "order"), post.Count(f.mails, "mail")),
		fmt.Sprintf("the journal has read %s: %s USD earned, %s lost", strings.Join(f.page.Events, ", "), f.page.Earned, f.page.Lost),
	}
}
