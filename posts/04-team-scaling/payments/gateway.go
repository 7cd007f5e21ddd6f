package payments

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Gateway is a simulated payment service. It knows what was paid and how much
// of that went back, and it refunds once for each idempotency key.
type Gateway struct{ ledger *post.Kept[Ledger] }

// Ledger is what the gateway remembers.
type Ledger struct {
	Payments map[string]Payment // by payment_id
	Refunds  []Refund
	Calls    int             // requests for a refund, answered or not
	Closed   map[string]bool // keys that are refunded no more
}

// Payment is money that a customer once paid.
type Payment struct{ Original, Refunded money.Cents }

// Refund is money that went back.
type Refund struct {
	Key, ID, TransactionID string
	PaymentID              string
	Amount                 money.Cents
	At                     time.Time
}

const gatewayProvider = "MockPaymentGateway"

// known are the payments whose amount is fixed. Any other well-formed id
// becomes a payment when it is first asked for: of that refund and ten dollars.
var known = map[string]Payment{
	"pay_test_12345abc":  {Original: 5999},
	"pay_concurrent_123": {Original: 3999},
}

const spare = 1000

// The hooks: payments by whose ids the gateway refuses.
var (
	eligibilityHooks = sim.Hooks{
		{Part: "pay_test_insufficient", Status: "insufficient_funds"},
		{Part: "pay_test_processing", Status: "processing"},
		{Part: "pay_test_ineligible", Status: "ineligible"},
		{Part: "pay_test_unknown", Status: "gremlins"},
	}
	refundHooks = sim.Hooks{
		{Part: "pay_test_gateway_timeout", Status: "timeout"},
		{Part: "pay_test_gateway_error", Status: "failed"},
		{Part: "pay_test_gateway_unknown", Status: "gremlins"},
		{Part: "pay_test_rate_limit", Status: "rate_limited"},
		{Part: "pay_test_refund_pending", Status: "pending"},
	}
)

func newGateway(w *post.World) *Gateway {
	return &Gateway{post.Keep(w, "payments.ledger", func() Ledger {
		return Ledger{Payments: maps.Clone(known), Closed: map[string]bool{}}
	})}
}

// Eligible looks whether a payment has so much left, without moving anything.
func (g *Gateway) Eligible(ctx context.Context, id string, amount money.Cents) (payment Payment, err error) {
	if err := eligibilityHooks.Strike("the payment gateway", id); err != nil {
		return Payment{}, err
	}
	err = g.ledger.Do(ctx, func(l *Ledger) error {
		payment = l.payment(id, amount)
		return payment.has(amount)
	})
	return payment, err
}

var errNoKey = errors.New("the payment gateway wants an idempotency key with every refund")

// Refund gives back a part of a payment, once for each key. Two refunds that
// were both eligible may together be too much: what is left is looked at
// again, in the same breath in which it is taken.
func (g *Gateway) Refund(ctx context.Context, key, id string, amount money.Cents) (refund Refund, err error) {
	if key == "" {
		return Refund{}, errNoKey
	}
	err = g.ledger.Do(ctx, func(l *Ledger) error {
		l.Calls++
		if err := refundHooks.Strike("the payment gateway", id); err != nil {
			return err
		}
		if made, ok := l.refundOf(key); ok {
			refund = made
			return nil
		}
		if l.Closed[key] {
			return &sim.Refusal{Service: "the payment gateway", Status: "key_closed"}
		}
		payment := l.payment(id, amount)
		if err := payment.has(amount); err != nil {
			return err
		}
		payment.Refunded += amount
		l.Payments[id] = payment
		refund = Refund{
			Key: key, ID: post.DeriveID("rfnd_", 24, key), TransactionID: post.DeriveID("gtx_", 20, key),
			PaymentID: id, Amount: amount, At: time.Now().UTC(),
		}
		l.Refunds = append(l.Refunds, refund)
		return nil
	})
	return refund, err
}

// Find gives the refund of a key, if there is one. Either way the key is
// closed: a request that is still on its way comes too late.
func (g *Gateway) Find(ctx context.Context, key string) (refund Refund, found bool, err error) {
	err = g.ledger.Do(ctx, func(l *Ledger) error {
		l.Closed[key] = true
		refund, found = l.refundOf(key)
		return nil
	})
	return refund, found, err
}

func (l *Ledger) payment(id string, amount money.Cents) Payment {
	payment, ok := l.Payments[id]
	if !ok {
		payment = Payment{Original: amount + spare}
		l.Payments[id] = payment
	}
	return payment
}

func (l *Ledger) refundOf(key string) (Refund, bool) {
	for _, r := range l.Refunds {
		if r.Key == key {
			return r, true
		}
	}
	return Refund{}, false
}

// has says whether so much of the payment is left.
func (p Payment) has(amount money.Cents) error {
	if amount <= p.Original-p.Refunded {
		return nil
	}
	return &sim.Refusal{Service: "the payment gateway", Status: "exceeds_payment", Figures: map[string]any{
		"original_amount": p.Original, "refunded_amount": p.Refunded, "refund_amount": amount,
	}}
}
