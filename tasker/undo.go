package tasker

import (
	"cmp"
	"slices"
	"time"
)

// A task that cannot complete, and whose template says so, is undone: every
// step that is complete, and every one of which nobody knows whether it took
// effect, in the reverse of the order in which they first started. One
// undoing is under way at a time, so that what was built on something is gone
// before it. One that fails for good stops there: the task is blocked, and
// waits for a person.

// leavesUnclear says whether an event leaves open if the attempt took effect.
// A handler's own permanent verdict does not: it knows. The engine's verdicts
// on what a handler did do.
func leavesUnclear(e *Event) bool {
	switch e.Kind {
	case Retrying, Lost, Parked:
		return true
	case Failed:
		return e.Error.Kind == KindRetryable || slices.Contains(unclearCodes, e.Error.Code)
	default:
		return false
	}
}

// unclearCodes are the engine's permanent verdicts on a handler that ran.
var unclearCodes = []string{
	CodePanic, CodeExit, CodeNilError, CodeResult, CodeResultTooLarge, CodeErrorTooLarge, CodeWorkerLost, CodeWaitIgnored,
}

// beginUndoing lists what is undone, in order.
func (t *Task) beginUndoing() {
	t.undoing = true
	for i := range t.Steps {
		s, undo := &t.Steps[i], t.template.Steps[i].Compensate
		if undo != nil && (s.State == StepComplete || s.unclear && s.State != StepResolved) {
			s.Compensation = &Progress{MaxAttempts: undo.Retry.Attempts()}
			t.undo = append(t.undo, i)
		}
	}
	slices.SortStableFunc(t.undo, func(a, b int) int { return cmp.Compare(t.Steps[b].began, t.Steps[a].began) })
}

// undoNext is the step that is undone now; nil when all of them are.
func (t *Task) undoNext() (i int, p *Progress) {
	for _, i := range t.undo {
		if p := t.Steps[i].Compensation; !satisfies(p.State, false) {
			return i, p
		}
	}
	return -1, nil
}

// nextUndo says what may happen to a task that is undone.
func (t *Task) nextUndo(now time.Time) next {
	i, p := t.undoNext()
	switch {
	case p == nil && t.cancelled:
		return next{event: &Event{Kind: Finished, TaskState: TaskCancelled}}
	case p == nil:
		return next{event: &Event{Kind: Finished, TaskState: TaskError}}
	case p.State == StepPending || p.State == StepWaitingForRetry && !now.Before(p.RetryAt):
		return next{start: []int{i}}
	case p.State == StepWaitingForRetry:
		return next{wake: p.RetryAt}
	default:
		return next{}
	}
}

func (t *Task) settledUndo() TaskState {
	switch _, p := t.undoNext(); {
	case p != nil && p.State == StepError:
		return TaskBlocked
	case p != nil && p.State == StepWaitingForRetry:
		return TaskWaitingForRetry
	default:
		return TaskInProgress
	}
}
