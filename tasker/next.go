package tasker

import (
	"math/rand/v2"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// next is what may happen to a task now. Deciding it needs nothing but the
// task and the time.
type next struct {
	start []int     // steps whose next attempt may start, in template order
	event *Event    // what follows by itself: the task's end, its time running out
	wake  time.Time // when time alone changes the answer; zero for never
}

// next says what may happen at now, which is the store's time.
func (t *Task) next(now time.Time) next {
	var n next
	switch {
	case t.State.Final():
		return n
	case t.done():
		n.event = &Event{Kind: Finished, TaskState: TaskComplete}
		return n
	case t.failing():
		if t.counts[StepInProgress] == 0 && t.template.OnFailure != template.Block {
			n.event = &Event{Kind: Finished, TaskState: TaskError}
		}
		return n
	}
	if limit := t.template.MaxDuration; limit > 0 {
		n.wake = t.CreatedAt.Add(limit)
		if !now.Before(n.wake) {
			return next{event: &Event{Kind: Expired}}
		}
	}
	if t.ready == 0 && t.counts[StepWaitingForRetry] == 0 {
		return n
	}
	for i := range t.Steps {
		switch s := &t.Steps[i]; {
		case t.due(i, now):
			n.start = append(n.start, i)
		case s.State == StepWaitingForRetry && (n.wake.IsZero() || s.RetryAt.Before(n.wake)):
			n.wake = s.RetryAt
		}
	}
	return n
}

// due says whether step i has all that it waits for at now.
func (t *Task) due(i int, now time.Time) bool {
	s := &t.Steps[i]
	return s.State == StepPending && t.unmet[i] == 0 || s.State == StepWaitingForRetry && !now.Before(s.RetryAt)
}

// start is the event that begins the next attempt of step i.
func (t *Task) start(i int) Event {
	return Event{Kind: Started, Step: t.Steps[i].Name, Attempt: t.Steps[i].starts + 1}
}

// failure is the event for an attempt of step i that ended in err: another
// attempt where that can help and the limit allows it, else the end.
func (t *Task) failure(i int, err *Error, chance *rand.Rand) Event {
	s, step := &t.Steps[i], &t.template.Steps[i]
	e := Event{Kind: Failed, Step: s.Name, Attempt: s.starts, Error: err}
	if err.Kind == KindRetryable && s.Attempts < step.Retry.Attempts() {
		e.Kind = Retrying
		e.Delay = wholeMS(step.Retry.Wait(s.Attempts, err.RetryAfter, t.template.MaxRetryWait, chance))
	}
	return e
}

// wholeMS rounds a wait up to the milliseconds that are stored.
func wholeMS(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// lost is what is recorded of step i when its worker has died: the attempt
// is lost, and after too many of them so is the step. A step that must not be
// retried is for a person to look at.
func (t *Task) lost(i int) []Event {
	s, step := &t.Steps[i], &t.template.Steps[i]
	events := []Event{{Kind: Lost, Step: s.Name, Attempt: s.starts}}
	lost := s.LostAttempts + 1
	if lost < MaxLostAttempts && step.Retry.Retryable {
		return events
	}
	err := Permanent(CodeWorkerLost, "%d attempts ended with their workers; whether they took effect is not known", lost)
	return append(events, Event{Kind: Failed, Step: s.Name, Attempt: s.starts, Error: err})
}
