package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// A retry with backoff is no circuit breaker. Backoff belongs to one step of
// one task: it is stored with the task, outlives this process, and says when
// that step asks again. It knows nothing of the other tasks, so fifty of them
// ask a dead service fifty times, and again for each attempt.
//
// A breaker belongs to a service. What one task has learned spares all others
// the call. This one belongs to a service as this process sees it: another
// process learns by itself, and a restart forgets. That costs a few calls and
// never a wrong answer, since nothing depends on it but how often we ask. What
// must not be forgotten, attempts and waits, is in the task's log.
//
// The two meet in one place: a step that is spared a call asks to be tried
// again when the breaker lets calls through. It has used up an attempt, as by
// any other failure, so a service that stays away ends its tasks in time.
// Who wants one breaker for many processes gives gobreaker a store to share.

// guard stands before one service. It counts calls, bounds how many are under
// way, and holds them back while the service is down.
type guard struct {
	service string
	breaker *gobreaker.CircuitBreaker[struct{}] // nil when it is switched off
	rule    breakerRule
	slots   chan struct{}
	opened  atomic.Int64 // when it opened last, in nanoseconds

	calls, failures, spared atomic.Int64
}

// slots is how many calls to a service may be under way at once. Without a
// bound a burst is out before the first failure is back, and a breaker has
// nothing left to spare.
const slots = 4

const codeOpen = "CIRCUIT_OPEN"

func newGuard(w *post.World, service string) *guard {
	g := &guard{service: service, rule: ruleOf(w.Flag("breaker")), slots: make(chan struct{}, slots)}
	if g.rule.off {
		return g
	}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         service,
		MaxRequests:  1, // while it is half-open
		Timeout:      g.rule.cooldown,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= g.rule.failures },
		IsSuccessful: func(err error) bool { return !isOutage(err) },
		IsExcluded:   gaveUp,
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				g.opened.Store(time.Now().UnixNano())
			}
			w.Say(service, "%s", g.tellState(to))
		},
	})
	return g
}

func (g *guard) tellState(s gobreaker.State) string {
	switch s {
	case gobreaker.StateOpen:
		return fmt.Sprintf("the breaker opens: calls are spared for %s", g.rule.cooldown)
	case gobreaker.StateHalfOpen:
		return "the breaker is half-open: one call may try"
	default:
		return "the breaker closes: the service is back"
	}
}

// do makes a call, or spares it.
func (g *guard) do(ctx context.Context, call func() error) error {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if g.breaker == nil {
		return g.counted(call)
	}
	_, err := g.breaker.Execute(func() (struct{}, error) { return struct{}{}, g.counted(call) })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		g.spared.Add(1)
		spared := tasker.Retryable(codeOpen, "the %s service is down; this call was spared", g.service)
		return spared.After(g.untilHalfOpen())
	}
	return err
}

func (g *guard) counted(call func() error) error {
	g.calls.Add(1)
	err := call()
	if isOutage(err) {
		g.failures.Add(1)
	}
	return err
}

// gaveUp says that we broke off the call ourselves, which tells nothing about
// the service.
func gaveUp(err error) bool {
	var v *tasker.Error
	return err != nil && !errors.As(err, &v)
}

// untilHalfOpen is how long calls are still spared; 0 leaves it to the
// step's backoff, while another call is trying.
func (g *guard) untilHalfOpen() time.Duration {
	halfOpen := time.Unix(0, g.opened.Load()).Add(g.rule.cooldown)
	return max(0, time.Until(halfOpen).Round(time.Millisecond)+time.Millisecond)
}

// state is the breaker's, for the report.
func (g *guard) state() string {
	if g.breaker == nil {
		return "off"
	}
	return g.breaker.State().String()
}

// breakerRule is when a breaker opens, and for how long.
type breakerRule struct {
	off      bool
	failures uint32 // in a row
	cooldown time.Duration
}

var usualRule = breakerRule{failures: 5, cooldown: 5 * time.Second}

const breakerHelp = "off, or when breakers open: 5/5s is after 5 failures in a row, for 5s"

func checkBreaker(value string) error {
	_, err := parseRule(value)
	return err
}

// ruleOf reads the last -breaker, which was checked before.
func ruleOf(values []string) breakerRule {
	if len(values) == 0 {
		return usualRule
	}
	rule, _ := parseRule(values[len(values)-1])
	return rule
}

func parseRule(value string) (breakerRule, error) {
	if value == "off" {
		return breakerRule{off: true}, nil
	}
	failures, cooldown, ok := strings.Cut(value, "/")
	n, err := strconv.ParseUint(failures, 10, 16)
	d, errCooldown := time.ParseDuration(cooldown)
	if !ok || err != nil || n == 0 || errCooldown != nil || d <= 0 {
		return breakerRule{}, fmt.Errorf("it must be off or FAILURES/COOLDOWN, such as 5/5s")
	}
	return breakerRule{failures: uint32(n), cooldown: d}, nil
}
