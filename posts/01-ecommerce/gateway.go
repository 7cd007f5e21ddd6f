package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Gateway is a simulated payment service. It keeps a ledger, and honours
// idempotency keys as real ones do: a key that it knows is answered with the
// charge that was made for it.
type Gateway struct{ ledger *post.Kept[Ledger] }

// Ledger is what the gateway remembers.
type Ledger struct {
	Charges []Charge
	Refunds []Charge
	Calls   map[string]int  // requests by key, answered or not
	Closed  map[string]bool // keys that are charged no more
}

// Charge is one booking in the ledger.
type Charge struct {
	Key           string
	PaymentID     string
	TransactionID string
	Amount        money.Amount
	At            time.Time
}

// GatewayError is the gateway's refusal, or its silence.
type GatewayError struct{ Status string }

func (e *GatewayError) Error() string { return "the payment gateway answers " + e.Status }

func newGateway(w *post.World) *Gateway {
	return &Gateway{post.Keep(w, "ledger", func() Ledger { return Ledger{Calls: map[string]int{}, Closed: map[string]bool{}} })}
}

// refusals are the test cards that the gateway does not charge.
var refusals = map[string]string{
	"tok_test_declined":           "card_declined",
	"tok_test_insufficient_funds": "insufficient_funds",
	"tok_test_invalid_card":       "invalid_card",
	"tok_test_network_error":      "timeout",
	"tok_test_rate_limited":       "rate_limited",
	"tok_test_unavailable":        "service_unavailable",
	"tok_test_unknown":            "gremlins",
}

// tokenTimeout is the card whose first two answers are lost, after the money
// has moved.
const (
	tokenTimeout = "tok_simulate_timeout"
	lostAnswers  = 2
)

var errNoKey = errors.New("the payment gateway wants an idempotency key with every charge")

// Charge books amount on the card behind token, once for each key.
func (g *Gateway) Charge(ctx context.Context, token string, amount money.Amount, key string) (Charge, error) {
	if key == "" {
		return Charge{}, errNoKey
	}
	var charge Charge
	err := g.ledger.Do(ctx, func(l *Ledger) error {
		l.Calls[key]++
		if status, refused := refusals[token]; refused {
			return &GatewayError{status}
		}
		if l.Closed[key] {
			return &GatewayError{"key_closed"}
		}
		charge = l.book(key, amount)
		if charge.Amount != amount {
			return fmt.Errorf("the key %s stands for a charge of %s, not of %s", key, charge.Amount, amount)
		}
		if token == tokenTimeout && l.Calls[key] <= lostAnswers {
			return &GatewayError{"timeout"}
		}
		return nil
	})
	return charge, err
}

// book finds the charge of a key, or makes it.
func (l *Ledger) book(key string, amount money.Amount) Charge {
	for _, c := range l.Charges {
		if c.Key == key {
			return c
		}
	}
	c := Charge{
		Key: key, Amount: amount, At: time.Now().UTC(),
		PaymentID:     post.DeriveID("pay_", 24, key),
		TransactionID: post.DeriveID("txn_", 24, key),
	}
	l.Charges = append(l.Charges, c)
	return c
}

// Refund gives back what was charged under a key, once, and tells how much
// that is: nothing where no charge is found. Either way the key is closed, so
// that a charge which is still on its way comes too late to be booked.
func (g *Gateway) Refund(ctx context.Context, key string) (refund Charge, err error) {
	err = g.ledger.Do(ctx, func(l *Ledger) error {
		l.Closed[key] = true
		for _, r := range l.Refunds {
			if r.Key == key {
				refund = r
				return nil
			}
		}
		for _, c := range l.Charges {
			if c.Key == key {
				refund = Charge{Key: key, PaymentID: c.PaymentID, TransactionID: post.DeriveID("ref_", 24, key), Amount: c.Amount, At: time.Now().UTC()}
				l.Refunds = append(l.Refunds, refund)
			}
		}
		return nil
	})
	return refund, err
}
