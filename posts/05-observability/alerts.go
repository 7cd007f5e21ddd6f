package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Alert is what a person is told. It carries what they need to begin.
type Alert struct {
	Level         string // warning or critical
	Name          string // of what is wrong: inventory.failure
	Step          string
	Reason        string // a code or a figure, never the text of an error
	CorrelationID string
}

func (a Alert) String() string {
	return fmt.Sprintf("%s at %s, %s; correlation_id %s", a.Name, a.Step, a.Reason, a.CorrelationID)
}

// AlertSink takes alerts to where people are: a pager, a chat.
type AlertSink interface {
	Raise(ctx context.Context, a Alert)
}

// AlertLog is a sink that writes alerts down.
type AlertLog struct {
	log *slog.Logger
	say func(Alert) // nil for nobody

	mu     sync.Mutex
	raised []Alert
}

// Raise implements [AlertSink].
func (l *AlertLog) Raise(ctx context.Context, a Alert) {
	l.mu.Lock()
	l.raised = append(l.raised, a)
	l.mu.Unlock()
	l.log.WarnContext(ctx, "alert."+a.Name, "correlation_id", a.CorrelationID, "severity", a.Level, "step", a.Step, "reason", a.Reason)
	if l.say != nil {
		l.say(a)
	}
}

// All gives what was raised so far.
func (l *AlertLog) All() []Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.raised)
}

// InventoryAlerts tells people that the stock is in trouble: a warning while
// it will be tried again, critical when that was the last attempt.
type InventoryAlerts struct{ sink AlertSink }

// Failed hears of every attempt that failed.
func (i InventoryAlerts) Failed(ctx context.Context, e tasker.DomainEvent) error {
	ctx, failure, err := read(ctx, &e)
	if err != nil {
		return err
	}
	level := "critical"
	if failure.WillRetry {
		level = "warning"
	}
	i.sink.Raise(ctx, Alert{level, "inventory.failure", e.Step,
		fmt.Sprintf("attempt %d of %d: %s", failure.Attempt, failure.Max, failure.ErrorCode), e.CorrelationID})
	return nil
}
