package tasker

import "fmt"

// TaskState is where a task stands.
type TaskState uint8

// The states of a task. Complete, error, cancelled and resolved_manually are
// final: nothing happens to the task any more.
const (
	TaskPending         TaskState = iota // submitted, no worker has it yet
	TaskInProgress                       // a worker runs its steps, or may
	TaskWaitingForRetry                  // nothing runs; a failed step waits for its next attempt
	TaskWaiting                          // nothing runs; a step waits for an answer or another task
	TaskBlocked                          // a step failed for good, and the task waits for an operator
	TaskComplete
	TaskError
	TaskCancelled
	TaskResolved
)

var taskStateNames = [...]string{"pending", "in_progress", "waiting_for_retry", "waiting", "blocked_by_failures",
	"complete", "error", "cancelled", "resolved_manually"}

// Final says that nothing happens to the task any more.
func (s TaskState) Final() bool { return s >= TaskComplete }

func (s TaskState) String() string { return nameOf(taskStateNames[:], uint8(s)) }

// MarshalText writes the state's name, as reports and stores have it.
func (s TaskState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *TaskState) UnmarshalText(text []byte) error {
	i, err := indexOf(taskStateNames[:], text, "task state")
	*s = TaskState(i)
	return err
}

// StepState is where a step stands.
type StepState uint8

// The states of a step.
const (
	StepPending         StepState = iota // not started; its dependencies may be open
	StepInProgress                       // an attempt was started and has no outcome yet
	StepWaitingForRetry                  // the last attempt failed; the next one has its time
	StepWaiting                          // parked until an answer or another task's end
	StepComplete
	StepError // failed for good
	StepCancelled
	StepResolved // an operator took it on themselves
	StepSkipped  // a branch that was not taken
)

var stepStateNames = [...]string{"pending", "in_progress", "waiting_for_retry", "waiting", "complete",
	"error", "cancelled", "resolved_manually", "skipped"}

func (s StepState) String() string { return nameOf(stepStateNames[:], uint8(s)) }

// MarshalText writes the state's name, as reports and stores have it.
func (s StepState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *StepState) UnmarshalText(text []byte) error {
	i, err := indexOf(stepStateNames[:], text, "step state")
	*s = StepState(i)
	return err
}

// open says that the step may still change without an operator.
func (s StepState) open() bool { return s < StepComplete }

// A StepTransition is one row of the table that rules what may happen to a
// step: an event of that kind takes a step from From to To.
type StepTransition struct {
	From StepState
	On   EventKind
	To   StepState
}

// StepTransitions is the whole table, for a step and for its undoing; what is
// not in it cannot happen. The page docs/states.md is made from it.
var StepTransitions = []StepTransition{
	{StepPending, Started, StepInProgress},
	{StepWaitingForRetry, Started, StepInProgress},
	{StepInProgress, Completed, StepComplete},
	{StepInProgress, Retrying, StepWaitingForRetry},
	{StepInProgress, Failed, StepError},
	{StepInProgress, Lost, StepPending},      // its worker died; the outcome is unknown
	{StepInProgress, Withdrawn, StepPending}, // its worker stopped before the handler saw it
	{StepInProgress, Parked, StepWaiting},
	{StepWaiting, Answered, StepPending}, // to go on with the same attempt
	{StepWaiting, Failed, StepError},     // nobody answered in time
	{StepPending, Failed, StepError},     // after too many lost attempts

	// The task ends, or begins to be undone, before the step's turn.
	{StepPending, Cancelled, StepCancelled},
	{StepInProgress, Cancelled, StepCancelled},
	{StepWaitingForRetry, Cancelled, StepCancelled},
	{StepWaiting, Cancelled, StepCancelled},
	{StepPending, Undoing, StepCancelled},
	{StepWaitingForRetry, Undoing, StepCancelled},
	{StepWaiting, Undoing, StepCancelled},
	{StepPending, Finished, StepCancelled},
	{StepWaitingForRetry, Finished, StepCancelled},
	{StepWaiting, Finished, StepCancelled},

	// What operators do.
	{StepError, RetriedByHand, StepPending},
	{StepWaitingForRetry, RetriedByHand, StepPending}, // now, instead of later
	{StepPending, CompletedByHand, StepComplete},
	{StepInProgress, CompletedByHand, StepComplete},
	{StepWaitingForRetry, CompletedByHand, StepComplete},
	{StepWaiting, CompletedByHand, StepComplete},
	{StepError, CompletedByHand, StepComplete},
	{StepPending, FailedByHand, StepError},
	{StepInProgress, FailedByHand, StepError},
	{StepWaitingForRetry, FailedByHand, StepError},
	{StepWaiting, FailedByHand, StepError},
	{StepPending, ResolvedByHand, StepResolved},
	{StepInProgress, ResolvedByHand, StepResolved},
	{StepWaitingForRetry, ResolvedByHand, StepResolved},
	{StepWaiting, ResolvedByHand, StepResolved},
	{StepError, ResolvedByHand, StepResolved},
}

// A TaskTransition is one row of the table of what a task may go through.
type TaskTransition struct {
	From, To TaskState
	Why      string
}

// TaskTransitions is the whole table. A task's state follows from its steps,
// so these are the consequences that the engine is held to by test.
var TaskTransitions = []TaskTransition{
	{TaskPending, TaskInProgress, "a worker claims it"},
	{TaskPending, TaskBlocked, "past its time before a worker came, or an operator fails a step, on_failure: block"},
	{TaskInProgress, TaskWaitingForRetry, "nothing runs, a failed step waits for its next attempt"},
	{TaskInProgress, TaskWaiting, "nothing runs, a step waits for an answer or for another task"},
	{TaskInProgress, TaskBlocked, "a step failed for good, on_failure: block; or an undoing did"},
	{TaskWaitingForRetry, TaskInProgress, "the wait is over, or an operator ends it"},
	{TaskWaitingForRetry, TaskWaiting, "an operator leaves nothing but a step that waits"},
	{TaskWaitingForRetry, TaskBlocked, "past its time, or an operator fails a step, on_failure: block"},
	{TaskWaiting, TaskInProgress, "the answer came, or the awaited task ended"},
	{TaskWaiting, TaskWaitingForRetry, "an operator leaves nothing but a step that waits for its next attempt"},
	{TaskWaiting, TaskBlocked, "nobody answered in time, or the task is past its time, on_failure: block"},
	{TaskBlocked, TaskInProgress, "an operator retries, completes or resolves what failed"},
	{TaskBlocked, TaskWaitingForRetry, "the same, and a step waits for its next attempt"},
	{TaskBlocked, TaskWaiting, "the same, and a step waits for an answer or for another task"},
	{TaskBlocked, TaskComplete, "an operator completes or resolves what failed, and nothing is left to do"},
	{TaskBlocked, TaskError, "an operator completes or resolves an undoing that failed, and nothing is left to undo"},
	{TaskWaitingForRetry, TaskComplete, "an operator completes or resolves the last step"},
	{TaskWaitingForRetry, TaskError, "past its time, or an operator fails a step, on_failure: fail or compensate"},
	{TaskWaiting, TaskComplete, "an operator completes or resolves the last step"},
	{TaskWaiting, TaskError, "nobody answered, past its time, or an operator fails a step, on_failure: fail or compensate"},
	{TaskPending, TaskComplete, "an operator completes or resolves every step"},
	{TaskPending, TaskError, "an operator fails a step, on_failure: fail or compensate"},
	{TaskInProgress, TaskComplete, "every step is done"},
	{TaskInProgress, TaskError, "a step failed for good, on_failure: fail; or all is undone, on_failure: compensate"},
	{TaskPending, TaskCancelled, "an operator cancels it"},
	{TaskInProgress, TaskCancelled, "an operator cancels it, or all is undone after that"},
	{TaskWaitingForRetry, TaskCancelled, "an operator cancels it"},
	{TaskWaiting, TaskCancelled, "an operator cancels it"},
	{TaskBlocked, TaskCancelled, "an operator cancels it"},
	{TaskPending, TaskResolved, "an operator takes it on themselves"},
	{TaskInProgress, TaskResolved, "an operator takes it on themselves"},
	{TaskWaitingForRetry, TaskResolved, "an operator takes it on themselves"},
	{TaskWaiting, TaskResolved, "an operator takes it on themselves"},
	{TaskBlocked, TaskResolved, "an operator takes it on themselves"},
}

// stepTable is StepTransitions by state and event.
var stepTable = func() (table [len(stepStateNames)][len(eventNames)]struct {
	to    StepState
	legal bool
}) {
	for _, t := range StepTransitions {
		cell := &table[t.From][t.On]
		cell.to, cell.legal = t.To, true
	}
	return table
}()

func nameOf(names []string, i uint8) string {
	if int(i) >= len(names) {
		return fmt.Sprintf("unknown(%d)", i)
	}
	return names[i]
}

func indexOf(names []string, text []byte, what string) (uint8, error) {
	for i, name := range names {
		if name == string(text) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not a %s", text, what)
}
