package tasker

import (
	"encoding/json"
	"maps"
	"time"
)

// Progress is how far something has come that is tried until it succeeds: a
// step, or the undoing of one.
type Progress struct {
	State        StepState       `json:"state"`
	Attempts     int             `json:"attempts"` // with the one that runs, without lost ones
	LostAttempts int             `json:"lost_attempts,omitempty"`
	MaxAttempts  int             `json:"max_attempts"`
	Result       json.RawMessage `json:"result,omitempty"`
	Metadata     json.RawMessage `json:"metadata,omitempty"`
	Error        *Error          `json:"error,omitempty"` // of the last failure; gone after a success
	Wait         *Wait           `json:"wait,omitempty"`  // what it waits for, in waiting
	StartedAt    time.Time       `json:"started_at,omitzero"`
	FinishedAt   time.Time       `json:"finished_at,omitzero"`
	Trace        string          `json:"-"` // W3C traceparent of the attempt that succeeded or failed last; "" for none
	RetryAt      time.Time       `json:"-"` // when the next attempt is due, in waiting_for_retry
	ExpiresAt    time.Time       `json:"-"` // when its wait is over, in waiting; zero for never

	starts  int                        // attempts ever started: the number of the last one
	resumes bool                       // the next start, or the one that runs, goes on with a parked attempt
	answers map[string]json.RawMessage // to its questions, by name
}

// fold takes in what an event says besides the state, and tells how many
// bytes of payload it brought.
func (p *Progress) fold(e *Event, at time.Time) (bytes int) {
	if e.Trace != "" {
		p.Trace = e.Trace
	}
	switch e.Kind {
	case Completed, CompletedByHand:
		p.Result, p.Metadata, p.Error = e.Result, e.Metadata, nil
		bytes = len(e.Result) + len(e.Metadata)
	case Retrying:
		p.Error, p.Metadata, p.RetryAt, p.resumes = e.Error, e.Metadata, at.Add(e.Delay), false
	case Failed, FailedByHand:
		p.Error, p.Metadata = e.Error, e.Metadata
	case Lost:
		p.Attempts--
		p.LostAttempts++
		p.resumes = false
	case Withdrawn:
		if !p.resumes {
			p.Attempts--
		}
	case Parked:
		p.Wait, p.Metadata, p.ExpiresAt = e.Wait, e.Metadata, time.Time{}
		if e.Wait.Expires > 0 {
			p.ExpiresAt = at.Add(e.Wait.Expires)
		}
		bytes = len(e.Wait.Prompt)
	case Answered:
		p.resumes = true
		if e.Wait.Task.IsZero() {
			p.answers = maps.Clone(p.answers) // runs may have the old one
			if p.answers == nil {
				p.answers = map[string]json.RawMessage{}
			}
			p.answers[e.Wait.Name] = e.Result
		}
		bytes = len(e.Result)
	case RetriedByHand:
		p.Attempts, p.LostAttempts, p.answers, p.resumes = 0, 0, nil, false
		p.FinishedAt = time.Time{}
	}
	return bytes
}

func (p *Progress) enter(to StepState, at time.Time) {
	p.State = to
	if to != StepWaiting {
		p.Wait = nil
	}
	if !to.open() {
		p.FinishedAt = at
	}
}

// satisfies says whether steps that depend on a step in this state may run.
func satisfies(s StepState, optional bool) bool {
	return s == StepComplete || s == StepResolved || s == StepSkipped || s == StepError && optional
}
