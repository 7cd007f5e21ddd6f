package tasker

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// Attempt is one run of a handler, as the handler may see it. Handlers find
// theirs with [Current].
type Attempt struct {
	TaskID, RootID, ParentID ID // RootID is the TaskID of a task without parent
	Namespace, Name, Version string
	Step                     string // "" in a task handler
	Number                   int    // of the step's attempts, from 1
	Max                      int    // attempts that the step may take
	Undo                     bool   // it undoes the step
	CorrelationID            string
	Tag                      string
	Trace                    string // W3C traceparent that the task was submitted with; "" for none

	// Caller is for task handlers: the namespace whose handler submits the task
	// that they look at. It is "" where no handler does, but somebody who has
	// the engine. The engine says it, so no handler can claim another.
	Caller string

	engine         *Engine                    // nil in a test
	answers        map[string]json.RawMessage // to the step's questions
	initialization map[string]any
	whole          json.RawMessage                   // the context
	parts          func() map[string]json.RawMessage // the same by key
	task           *Task                             // nil in a task handler
	index          int                               // of the step

	transactional bool // what it does is stored with its record, or not at all

	mu       sync.Mutex
	onStored []func() // wait for that
	metadata map[string]json.RawMessage
	parked   bool   // the handler was told to wait
	trace    string // of this attempt
}

type attemptKey struct{}

// Current gives the attempt that ctx belongs to, or nil outside of handlers.
func Current(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}

// WithAttempt gives a handler's test the context that the engine would give.
func WithAttempt(ctx context.Context, a *Attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// Key is the idempotency key of the step that ctx belongs to: the same on
// each attempt, and another one for every other step and task. Send it with
// whatever must happen once. Key panics outside of a handler, since money
// moved without a key is money moved twice.
func Key(ctx context.Context) string {
	a := Current(ctx)
	if a == nil {
		panic("tasker.Key: the context is not a handler's; in a test use tasker.WithAttempt")
	}
	return a.TaskID.String() + "/" + a.Step
}

// KeyOf is the key of another step of the same task. It panics as [Key] does.
func KeyOf(ctx context.Context, step string) string {
	a := Current(ctx)
	if a == nil {
		panic("tasker.KeyOf: the context is not a handler's; in a test use tasker.WithAttempt")
	}
	return a.TaskID.String() + "/" + step
}

// Annotate puts a value beside the step's result, under "metadata", whether
// the attempt succeeds or fails. A value that cannot be stored is replaced by
// the reason: a note must not fail the work it is about. Outside of handlers
// nothing happens.
func Annotate(ctx context.Context, key string, value any) {
	a := Current(ctx)
	if a == nil {
		return
	}
	raw := storableValue(value)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.metadata == nil {
		a.metadata = map[string]json.RawMessage{}
	}
	a.metadata[payload.Text(key)] = raw
}

// Metadata gives what was annotated so far, as a JSON object; nil for nothing.
func (a *Attempt) Metadata() json.RawMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.metadata) == 0 {
		return nil
	}
	raw, _ := json.Marshal(a.metadata) // each value was encoded before
	return raw
}

// notes are the metadata as they are stored. A success fails when they are too
// large; a failure is worth more than its notes.
func (a *Attempt) notes() json.RawMessage {
	raw := a.Metadata()
	if len(raw) > payload.MaxBytes {
		raw, _ = json.Marshal(map[string]json.RawMessage{"metadata": notStored(len(raw))})
	}
	return raw
}

// Context gives the task's context. Handlers rather name its parts in their
// input; this is for code that serves many kinds of task.
func (a *Attempt) Context() json.RawMessage {
	return slices.Clone(a.whole)
}

// Result gives a copy of the result of a step that this one depends on,
// directly or not; ok is false when it has none.
func (a *Attempt) Result(step string) (result json.RawMessage, ok bool) {
	if a.task == nil {
		return nil, false
	}
	result, ok = a.task.resultFor(a.index, step)
	return slices.Clone(result), ok
}

// Initialization gives the handler's initialization from the template. It
// must not be changed.
func (a *Attempt) Initialization() map[string]any { return a.initialization }

// onceStored has f called once the transaction of the handler that ctx belongs
// to has been stored: at once where there is none.
func (e *Engine) onceStored(ctx context.Context, f func()) {
	a := Current(ctx)
	if a == nil || a.engine != e || !a.transactional {
		f()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onStored = append(a.onStored, f)
}

// isStored calls what has waited for the attempt's transaction.
func (a *Attempt) isStored() {
	a.mu.Lock()
	waiting := a.onStored
	a.onStored = nil
	a.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}

// SetTrace has the W3C traceparent of the attempt recorded with its outcome,
// for those who look for what this step follows from, in whatever process.
func (a *Attempt) SetTrace(traceparent string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trace = traceparent
}

func (a *Attempt) traceOf() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trace
}

// Causes are the W3C traceparents of the attempts that completed the steps
// which this one depends on directly, as far as they have any.
func (a *Attempt) Causes() (traces []string) {
	if a.task == nil {
		return nil
	}
	for _, parent := range a.task.template.Graph().Parents[a.index] {
		if trace := a.task.Steps[parent].Trace; trace != "" {
			traces = append(traces, trace)
		}
	}
	return traces
}
