package main

import (
	"context"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Journal books what each checkout came to. It reads durable events, with a
// cursor of its own: after a crash it goes on where it was, and what comes
// twice is booked once.
type Journal struct {
	pages   *post.Kept[Page]
	metrics *BusinessMetrics
	tag     string // of the run; events of others are none of its business
}

// Page is what the journal holds of one checkout.
type Page struct {
	Events   []string     // names, in the order in which they came
	Booked   []tasker.ID  // of events
	Earned   money.Amount // by an order
	Lost     money.Amount // by a failure
	Declined int
}

func newJournal(w *post.World, metrics *BusinessMetrics, tag string) *Journal {
	return &Journal{post.Keep(w, "journal", func() Page { return Page{} }), metrics, tag}
}

// Book takes one event.
func (j *Journal) Book(ctx context.Context, e tasker.DomainEvent) error {
	if e.Tag != j.tag {
		return nil
	}
	ctx, checkout, err := read(ctx, &e)
	if err != nil {
		return err
	}
	first := false
	err = j.pages.DoIn(ctx, e.RootID, func(p *Page) error {
		if first = !slices.Contains(p.Booked, e.ID); first {
			p.book(&e, checkout)
		}
		return nil
	})
	if err == nil && first && e.Name == "checkout.failed" {
		j.metrics.failed(ctx, &e, checkout)
	}
	return err
}

func (p *Page) book(e *tasker.DomainEvent, checkout told) {
	p.Booked, p.Events = append(p.Booked, e.ID), append(p.Events, e.Name)
	switch e.Name {
	case "order.created":
		p.Earned += checkout.OrderValue
	case "payment.declined":
		p.Declined++
	case "checkout.failed":
		p.Earned, p.Lost = 0, p.Lost+checkout.OrderValue
	}
}

// catchUp waits until the journal knows how each of these checkouts ended, but
// not for long.
func (j *Journal) catchUp(tasks []*tasker.Task) {
	ends := map[tasker.TaskState]string{tasker.TaskComplete: "checkout.completed", tasker.TaskError: "checkout.failed"}
	for over := time.Now().Add(patience); time.Now().Before(over); time.Sleep(2 * time.Millisecond) {
		if !slices.ContainsFunc(tasks, func(t *tasker.Task) bool {
			end, ended := ends[t.State]
			return ended && !slices.Contains(j.page(t.ID).Events, end)
		}) {
			return
		}
	}
}

func (j *Journal) page(task tasker.ID) (page Page) {
	j.pages.Of(task, func(p Page) { page = p })
	return page
}
