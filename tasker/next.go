package tasker

import (
	"math"
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
	case t.undoing:
		return t.nextUndo(now)
	case t.done() && !t.cancelled:
		n.event = &Event{Kind: Finished, TaskState: TaskComplete}
		return n
	case t.failing():
		switch {
		case t.counts[StepInProgress] > 0:
		case t.compensates():
			n.event = &Event{Kind: Undoing}
		case t.template.OnFailure == template.Fail:
			n.event = &Event{Kind: Finished, TaskState: TaskError}
		}
		return n
	}
	if limit := t.template.MaxDuration; limit > 0 {
		n.wake = t.since.Add(limit)
		if !now.Before(n.wake) {
			return next{event: &Event{Kind: Expired}}
		}
	}
	if t.ready == 0 && t.counts[StepWaitingForRetry] == 0 && t.counts[StepWaiting] == 0 {
		return n
	}
	for i := range t.Steps {
		switch s := &t.Steps[i]; {
		case t.due(i, now):
			n.start = append(n.start, i)
		case s.State == StepWaitingForRetry:
			n.wake = earlier(n.wake, s.RetryAt)
		case s.State == StepWaiting && !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt):
			e := t.event(Failed, i)
			e.Error = Permanent(CodeExpired, "the step waited %v for %s", s.Wait.Expires, s.Wait)
			return next{event: &e}
		case s.State == StepWaiting:
			n.wake = earlier(n.wake, s.ExpiresAt)
		}
	}
	return n
}

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due says whether step i has all that it waits for at now.
func (t *Task) due(i int, now time.Time) bool {
	s := &t.Steps[i]
	return s.State == StepPending && t.unmet[i] == 0 || s.State == StepWaitingForRetry && !now.Before(s.RetryAt)
}

// event is something that happens to the attempt of step i that was started
// last, or to the attempt to undo it.
func (t *Task) event(kind EventKind, i int) Event {
	return Event{Kind: kind, Step: t.Steps[i].Name, Attempt: t.progress(i).starts, Undo: t.undoing}
}

// start is the event that begins the next attempt of step i, or that goes on
// with one that was parked.
func (t *Task) start(i int) Event {
	e := t.event(Started, i)
	if !t.progress(i).resumes {
		e.Attempt++
	}
	return e
}

// retry is how often, and after what waits, what happens to step i now may
// be tried.
func (t *Task) retry(i int) *template.Retry {
	if t.undoing {
		return &t.template.Steps[i].Compensate.Retry
	}
	return &t.template.Steps[i].Retry
}

// failure is the event for an attempt of step i that ended in err: another
// attempt where that can help and the limit allows it, else the end.
func (t *Task) failure(i int, err *Error, chance *rand.Rand) Event {
	retry, attempts := t.retry(i), t.progress(i).Attempts
	e := t.event(Failed, i)
	e.Error = err
	if err.Kind == KindRetryable && attempts < retry.Attempts() {
		e.Kind = Retrying
		e.Delay = wholeMS(retry.Wait(attempts, err.RetryAfter, t.template.MaxRetryWait, chance))
	}
	return e
}

// wholeMS rounds a wait up to the milliseconds that are stored.
func wholeMS(d time.Duration) time.Duration {
	whole := d.Truncate(time.Millisecond)
	if d > whole && d < math.MaxInt64-time.Millisecond { // the longest there is, which some use for ever, stays
		whole += time.Millisecond
	}
	return whole
}

// lost is what is recorded of step i when its worker has died: the attempt
// is lost, and after too many of them so is the step. A step that must not be
// retried is for a person to look at.
func (t *Task) lost(i int) []Event {
	events := []Event{t.event(Lost, i)}
	lost := t.progress(i).LostAttempts + 1
	if lost < MaxLostAttempts && t.retry(i).Retryable {
		return events
	}
	failed := t.event(Failed, i)
	failed.Error = Permanent(CodeWorkerLost, "%d attempts ended with their workers; whether they took effect is not known", lost)
	return append(events, failed)
}
