package customersuccess

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Tickets is the simulated platform on which customers ask for things.
type Tickets struct{ board *post.Kept[Board] }

// Board is what the platform remembers, by ticket_id.
type Board map[string]Ticket

// Ticket is one request of a customer.
type Ticket struct {
	Status      string // open, in_progress, resolved
	PurchasedAt time.Time
	PaymentID   string // of what was bought; "" where nothing was paid
	Resolution  *Resolution
}

// Resolution is how a ticket ended.
type Resolution struct {
	Previous, Note string
	At             time.Time
}

const platform = "MockCustomerServiceSystem"

// The hooks: tickets by whose ids the platform, or the portal on which
// managers approve, refuses. Besides them, a ticket whose id has days_N in it
// is about a purchase N days ago, and one with no_payment about none.
var (
	findHooks = sim.Hooks{
		{Part: "ticket_closed", Status: "closed"},
		{Part: "ticket_cancelled", Status: "cancelled"},
		{Part: "ticket_duplicate", Status: "duplicate"},
		{Part: "ticket_unknown", Status: "gremlins"},
	}
	approvalHooks = sim.Hooks{
		{Part: "ticket_denied", Status: "denied"},
		{Part: "ticket_pending", Status: "pending"},
		{Part: "ticket_approval_timeout", Status: "timeout"},
		{Part: "ticket_approval_unknown", Status: "gremlins"},
	}
	resolveHooks = sim.Hooks{
		{Part: "ticket_locked", Status: "locked"},
		{Part: "ticket_update_error", Status: "error"},
		{Part: "ticket_update_unknown", Status: "gremlins"},
		{Part: "ticket_not_found", Status: "not_found"},
		{Part: "ticket_unauthorized", Status: "unauthorized"},
	}
	daysHook    = regexp.MustCompile(`days_(\d{1,4})`)
	paymentHook = regexp.MustCompile(`no_payment`)
)

func newTickets(w *post.World) *Tickets {
	return &Tickets{post.Keep(w, "customer_success.tickets", func() Board { return Board{} })}
}

// Find gives a ticket as it was opened. What was bought for it was bought
// thirty days before it is first looked for.
func (s *Tickets) Find(ctx context.Context, id string, now time.Time) (ticket Ticket, err error) {
	if err := findHooks.Strike("the ticket platform", id); err != nil {
		return Ticket{}, err
	}
	err = s.board.Do(ctx, func(b *Board) error {
		found, ok := (*b)[id]
		if !ok {
			found = Ticket{Status: "open", PurchasedAt: now.UTC().Add(-daysOf(id) * 24 * time.Hour), PaymentID: paymentOf(id)}
			(*b)[id] = found
		}
		ticket = found
		return nil
	})
	return ticket, err
}

func daysOf(id string) time.Duration {
	if m := daysHook.FindStringSubmatch(id); m != nil {
		days, _ := strconv.Atoi(m[1]) // four digits
		return time.Duration(days)
	}
	return 30
}

// paymentOf follows from the ticket, so that no retry finds another payment.
func paymentOf(id string) string {
	if paymentHook.MatchString(id) {
		return ""
	}
	return post.DeriveID("pay_", 16, id)
}

// Portal asks whether managers can be reached about a ticket at all.
func (s *Tickets) Portal(id string) error {
	return approvalHooks.Strike("the approval portal", id)
}

// Begin says that a ticket is being worked on.
func (s *Tickets) Begin(ctx context.Context, id string) error {
	return s.board.Do(ctx, func(b *Board) error {
		ticket := (*b)[id]
		if ticket.Resolution == nil {
			ticket.Status = "in_progress"
		}
		(*b)[id] = ticket
		return nil
	})
}

// Resolve ends a ticket, or finds how it has ended.
func (s *Tickets) Resolve(ctx context.Context, id, note string) (resolution Resolution, err error) {
	if err := resolveHooks.Strike("the ticket platform", id); err != nil {
		return Resolution{}, err
	}
	err = s.board.Do(ctx, func(b *Board) error {
		ticket := (*b)[id]
		if ticket.Resolution == nil {
			ticket.Resolution = &Resolution{Previous: ticket.Status, Note: note, At: time.Now().UTC()}
			ticket.Status = "resolved"
			(*b)[id] = ticket
		}
		resolution = *ticket.Resolution
		return nil
	})
	return resolution, err
}
