// Package sim is what the simulated services of all teams have in common: how
// they refuse, what provokes a refusal, and the table by which a handler reads
// one. It is no part of what the teams own.
package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Refusal is what a service answers when it does not do what it is asked.
type Refusal struct {
	Service, Status string
	Figures         map[string]any // what whoever looks into it should know; may be nil
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s answers %s", r.Service, r.Status) }

// Hooks provoke refusals, so that a reader can see each: an id that contains
// Part is answered with Status. They belong to the simulation; a real service
// has none, and handlers know nothing of them.
type Hooks []struct{ Part, Status string }

// Strike is the refusal that an id provokes, or nil.
func (h Hooks) Strike(service, id string) error {
	for _, hook := range h {
		if strings.Contains(id, hook.Part) {
			return &Refusal{Service: service, Status: hook.Status}
		}
	}
	return nil
}

// Verdicts say what each status of a service means for the step. Anything is
// what a status means that the table does not have.
type Verdicts map[string]Verdict

// Anything stands for every status that [Verdicts] does not name.
const Anything = "*"

// Verdict is one line of [Verdicts]. Without RetryAfter it is permanent.
type Verdict struct {
	Code       string
	RetryAfter time.Duration
}

// Of reads a service's error. What is no refusal stays as it is.
func (v Verdicts) Of(err error) error {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	verdict, known := v[refusal.Status]
	if !known {
		verdict = v[Anything]
	}
	failure := tasker.Permanent(verdict.Code, "%w", err)
	if verdict.RetryAfter > 0 {
		failure = tasker.Retryable(verdict.Code, "%w", err).After(verdict.RetryAfter)
	}
	for key, value := range refusal.Figures {
		failure = failure.With(key, value)
	}
	return failure.With("status", refusal.Status)
}
