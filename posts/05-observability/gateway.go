package main

import (
	"context"
	"errors"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Gateway is a simulated payment service. It keeps a ledger, and a key that it
// knows is answered with the charge that was made for it.
type Gateway struct {
	ledger *post.Kept[Ledger]
	line   *line
}

// Ledger is what the gateway remembers, by key.
type Ledger struct {
	Charges map[string]Charge
	Closed  map[string]bool // keys that are charged no more
}

// Charge is one booking of the ledger.
type Charge struct {
	PaymentID string
	Amount    money.Amount
	At        time.Time
	Refunded  bool
}

// What services may answer.
var (
	ErrDeclined    = errors.New("the payment is declined")
	ErrUnavailable = errors.New("the service is not available")
)

func newGateway(w *post.World, trouble incident) *Gateway {
	return &Gateway{
		post.Keep(w, "ledger", func() Ledger { return Ledger{map[string]Charge{}, map[string]bool{}} }),
		newLine(w, "payments", trouble.payments),
	}
}

// Charge takes amount from the customer, once for each key.
func (g *Gateway) Charge(ctx context.Context, key string, amount money.Amount) (charge Charge, err error) {
	err = g.line.call(ctx, "charge", func(ctx context.Context) error {
		return g.ledger.Do(ctx, func(l *Ledger) error {
			known, there := l.Charges[key]
			switch {
			case l.Closed[key]:
				return tasker.Permanent("PAYMENT_CLOSED", "the payment was given back before")
			case there:
				charge = known
			default:
				charge = Charge{PaymentID: post.DeriveID("pay_", 16, key), Amount: amount, At: time.Now().UTC()}
				l.Charges[key] = charge
			}
			return nil
		})
	})
	return charge, err
}

// Refund gives back what was charged under a key, once, and tells how much
// that is. A charge that is still on its way comes too late.
func (g *Gateway) Refund(ctx context.Context, key string) (amount money.Amount, err error) {
	err = g.ledger.Do(ctx, func(l *Ledger) error {
		l.Closed[key] = true
		if charge, there := l.Charges[key]; there {
			amount, charge.Refunded = charge.Amount, true
			l.Charges[key] = charge
		}
		return nil
	})
	return amount, err
}
