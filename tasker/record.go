package tasker

import (
	"encoding/json"
	"time"
)

// Record is one row of a task's log: what one writer stored at once. A
// record is stored whole or not at all, and never changes.
type Record struct {
	ID     ID        // made by the writer, who knows its own record by it after a lost reply
	Seq    int64     // position in the task's log, from 1 without gaps
	Writer ID        // the worker, or zero for a client or an operator
	At     time.Time // stamped by the store
	Events []Event
}

// EventKind says what happened.
type EventKind uint8

// What happens to a task, and to one of its steps.
const (
	Submitted EventKind = iota // the first event of every log: Context
	Claimed                    // a worker took the task: Worker
	Expired                    // the task is past its time
	Cancelled                  // an operator ended the task: Actor, Reason, Undo when what it did is to be undone
	Undoing                    // no step runs any more, and what was done is undone from here on
	Finished                   // the task ended by itself: TaskState

	Started   // an attempt begins, or goes on after it was parked: Attempt
	Completed // an attempt succeeded: Attempt, Result, Metadata
	Retrying  // an attempt failed and another will follow: Attempt, Error, Delay, Metadata
	Failed    // the step failed for good: Attempt, Error, Metadata
	Lost      // an attempt's worker died, or was stopped while it ran: Attempt
	Withdrawn // an attempt left nothing behind: it was never begun, or rolled back: Attempt
	Parked    // an attempt waits: Attempt, Wait, Metadata
	Answered  // what a parked attempt waits for has come: Attempt, Wait.Name, Result; of a person also Actor, Reason

	RetriedByHand   // an operator gave a step, or a task past its time, another chance: Actor, Reason
	CompletedByHand // an operator gave the step's result: Result, Actor, Reason
	FailedByHand    // an operator failed the step for good: Error, Actor, Reason
	ResolvedByHand  // an operator took the step, or the task, on themselves: Actor, Reason
)

var eventNames = [...]string{"submitted", "claimed", "expired", "cancelled", "undoing", "finished",
	"started", "completed", "retrying", "failed", "lost", "withdrawn", "parked", "answered",
	"retried_by_hand", "completed_by_hand", "failed_by_hand", "resolved_by_hand"}

func (k EventKind) String() string { return nameOf(eventNames[:], uint8(k)) }

// MarshalText writes the kind's name.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *EventKind) UnmarshalText(text []byte) error {
	i, err := indexOf(eventNames[:], text, "kind of event")
	*k = EventKind(i)
	return err
}

// Event is one thing that happened. Which fields are set follows from Kind.
type Event struct {
	Kind     EventKind       `json:"kind"`
	Step     string          `json:"step,omitempty"`    // "" for what happens to the task as a whole
	Attempt  int             `json:"attempt,omitempty"` // of the step, from 1; lost and withdrawn ones count here
	Result   json.RawMessage `json:"result,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Error    *Error          `json:"error,omitempty"`
	Delay    time.Duration   `json:"-"` // from the record's time to the next attempt, in whole milliseconds: delay_ms

	Context   json.RawMessage `json:"context,omitempty"`
	Worker    ID              `json:"worker,omitzero"`
	TaskState TaskState       `json:"task_state,omitempty"`
	Undo      bool            `json:"undo,omitempty"` // it is the step's undoing that this happens to
	Wait      *Wait           `json:"wait,omitempty"`
	Trace     string          `json:"trace,omitempty"` // W3C traceparent: of the task where it is submitted, else of the attempt
	Actor     string          `json:"actor,omitempty"`
	Reason    string          `json:"reason,omitempty"`

	// Change is for observers: what the event did. It follows from the log, and
	// is not stored.
	Change Change `json:"-"`
}

// Change is what an event did to the step that it is about, or to its undoing,
// and to the task.
type Change struct {
	From, To         StepState
	TaskFrom, TaskTo TaskState
}

// Wait is what a parked step waits for: an answer to a question, or the end
// of another task.
type Wait struct {
	Name    string          `json:"name,omitempty"`   // tells the waits of a step apart
	Task    ID              `json:"task,omitzero"`    // the task that is awaited; zero for a question
	Prompt  json.RawMessage `json:"prompt,omitempty"` // what whoever answers should know
	Expires time.Duration   `json:"-"`                // from when it was parked, in whole milliseconds: expires_ms; 0 for never
}
