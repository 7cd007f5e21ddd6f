package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

// fragileMonitor is what the fragile checkout talks to: counters by name, and
// a rule that calls somebody when one of them is a failure's.
type fragileMonitor struct {
	mu     sync.Mutex
	counts map[string]int
	calls  []string // to whoever is on call
}

func (m *fragileMonitor) Increment(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[name]++
	if name == "checkout.failed" {
		m.calls = append(m.calls, name)
	}
}

func (m *fragileMonitor) Timing(string, time.Duration) {}

// fragileCheckout is the checkout as it is usually watched first: counters and
// log lines between the lines of the business. Each says that something has
// happened. When a call hangs, nothing happens, and nobody is told.
func (s *Shop) fragileCheckout(ctx context.Context, m *fragileMonitor, log *slog.Logger, items []CartItem, email string) error {
	began := time.Now()
	m.Increment("checkout.started")
	var total money.Amount
	for _, item := range items {
		total += item.Price.Times(item.Quantity)
	}
	log.Info("charging " + email + " " + total.String()) // the address is in the logs now
	if _, err := s.Gateway.Charge(ctx, rand.Text(), total); err != nil {
		m.Increment("checkout.failed")
		log.Error("payment failed: " + err.Error())
		return err
	}
	m.Timing("payment", time.Since(began))
	m.Increment("payment.success")
	if _, err := s.Stock.Deduct(ctx, rand.Text(), items); err != nil {
		m.Increment("checkout.failed")
		log.Error("stock failed: " + err.Error())
		return err
	}
	m.Increment("inventory.success")
	order, err := s.Orders.Create(ctx, rand.Text(), Order{OrderValue: total})
	if err != nil {
		m.Increment("checkout.failed")
		return err
	}
	if _, err := s.Mail.Send(ctx, rand.Text(), Mail{To: email, OrderID: order.OrderID}); err != nil {
		log.Warn("mail failed") // and no counter: somebody forgot
	}
	m.Increment("checkout.completed")
	log.Info("checkout done in " + time.Since(began).String())
	return nil
}
