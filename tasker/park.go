package tasker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// A handler that has to wait, for a person or for another task, parks its
// step: it returns, nothing of it is held, and a restart does not matter.
// Once what it waits for is there, the handler runs again from its beginning,
// in the same attempt, and the call that parked it returns.

// ErrParked is what [Ask] and [Await] return to a handler that has to wait.
// It returns it too, as it is or wrapped.
var ErrParked = errors.New("the step is parked")

// parked is an ErrParked that knows what is waited for.
type parked struct{ wait Wait }

func (p *parked) Error() string        { return "the step is parked until there is " + p.wait.String() }
func (p *parked) Is(target error) bool { return target == ErrParked }

// String says what is waited for, to people.
func (w *Wait) String() string {
	switch {
	case !w.Task.IsZero():
		return fmt.Sprintf("the end of task %s", w.Task)
	case w.Name != "":
		return fmt.Sprintf("an answer to %q", w.Name)
	default:
		return "an answer"
	}
}

// Question is what [Ask] asks.
type Question struct {
	Name    string        // tells the questions of a step apart; one alone needs none
	Prompt  any           // what whoever answers should know; stored as JSON
	Expires time.Duration // how long an answer may take; 0 for as long as it takes
}

// Approval is the answer to the most usual question.
type Approval struct {
	Approved bool   `json:"approved"`
	By       string `json:"by,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Ask parks the step until somebody answers the question, by
// [Engine.Answer] or on the command line, and then gives the answer:
//
//	approval, err := tasker.Ask[tasker.Approval](ctx, tasker.Question{Prompt: refund, Expires: time.Hour})
//	if err != nil {
//		return Refund{}, err
//	}
//
// Until then the error is [ErrParked], and the handler returns it. What the
// handler does before it asks is done again after the answer, so it asks
// first, or uses its [Key]. An answer holds for the attempts that follow as
// well; an operator's retry of the step asks anew. A question that nobody
// answers in time fails the step with WAIT_EXPIRED, and an answer that is no T
// does with HANDLER_INPUT: nobody looks at it before the handler.
func Ask[T any](ctx context.Context, q Question) (T, error) {
	var answer T
	a := Current(ctx)
	if a == nil {
		return answer, errors.New("tasker.Ask: the context is not a handler's; in a test use tasker.WithAttempt")
	}
	if raw, ok := a.answers[q.Name]; ok {
		if err := json.Unmarshal(raw, &answer); err != nil {
			return answer, Permanent(CodeInput, "the answer %.200s is not a %T: %w", raw, answer, err)
		}
		return answer, nil
	}
	prompt, err := promptOf(q.Prompt)
	if err != nil {
		return answer, err
	}
	return answer, a.park(Wait{Name: q.Name, Prompt: prompt, Expires: wholeMS(q.Expires)})
}

func promptOf(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := payload.Encode(v)
	if err != nil {
		return nil, Permanent(CodeWait, "the question cannot be stored: %w", err)
	}
	return raw, nil
}

// Await parks the step until another task has ended, in whatever way, and
// then gives that task as it ended. The wait ends at once when it is a
// sub-task of this one, made by [Submit]; the end of any other task may be
// noticed as late as a third of a lease after it, and later where many hundreds
// of tasks wait for such. One that does not end within expires fails the step
// with WAIT_EXPIRED; 0 is for as long as it takes.
func Await(ctx context.Context, task ID, expires time.Duration) (*Task, error) {
	a := Current(ctx)
	if a == nil || a.engine == nil {
		return nil, errors.New("tasker.Await: the context is not that of a handler which an engine runs")
	}
	if task == a.TaskID {
		return nil, Permanent(CodeWait, "a task cannot wait for its own end")
	}
	t, err := a.engine.Task(ctx, task)
	switch {
	case errors.Is(err, ErrNotFound) || errors.Is(err, ErrPurged):
		return nil, Permanent(CodeWait, "the step cannot wait for task %s: %w", task, err)
	case err != nil:
		return nil, fmt.Errorf("await task %s: %w", task, err)
	case t.State.Final():
		return t, nil
	}
	return nil, a.park(Wait{Name: task.String(), Task: task, Expires: wholeMS(expires)})
}

// park is the error that parks the step, or that refuses to.
func (a *Attempt) park(w Wait) error {
	switch {
	case a.Step == "":
		return Permanent(CodeWait, "a task handler cannot wait: it runs before the task is stored")
	case a.Undo:
		return Permanent(CodeWait, "the undoing of a step cannot wait for %s; what has to wait is a task of its own, made by tasker.Submit", &w)
	case w.Expires < 0:
		return Permanent(CodeWait, "the wait for %s expires before it begins", &w)
	case payload.Text(w.Name) != w.Name || len(w.Name) > MaxKey:
		return Permanent(CodeWait, "the question's name %.60q cannot be stored: at most %d bytes of UTF-8 without NUL", w.Name, MaxKey)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parked = true
	return &parked{w}
}

// parking finds in a handler's outcome that the step is to be parked. A
// handler that goes on as if it had its answer is stopped: money may follow.
func (a *Attempt) parking(err error) (*Wait, error) {
	var p *parked
	if err != nil && !isNilPointer(err) && errors.As(err, &p) {
		return &p.wait, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parked && err == nil {
		return nil, Permanent(CodeWaitIgnored, "the handler succeeded without the answer that it had asked for; it must return the error of tasker.Ask and tasker.Await")
	}
	return nil, err
}

// Submit stores a sub-task of the task whose handler ctx belongs to. Its
// correlation id and tag are the parent's unless the request has others, and
// so is its idempotency key: a step that is tried again gets the task that it
// has made already. A step that makes several tasks of one template gives each
// a key of its own. The sub-task runs whatever becomes of its parent, unless
// the parent is cancelled [WithChildren].
func Submit(ctx context.Context, r Request) (Submission, error) {
	a := Current(ctx)
	if a == nil || a.engine == nil || a.Step == "" {
		return Submission{}, errors.New("tasker.Submit: the context is not that of a step's handler which an engine runs; use Engine.Submit elsewhere")
	}
	r.parent, r.root = a.TaskID, a.RootID
	if r.CorrelationID == "" {
		r.CorrelationID = a.CorrelationID
	}
	if r.Tag == "" {
		r.Tag = a.Tag
	}
	if r.IdempotencyKey == "" {
		r.IdempotencyKey = Key(ctx)
	}
	s, err := a.engine.Submit(ctx, r)
	var refused *Rejected
	if errors.As(err, &refused) {
		return s, Permanent(refused.Code, "the sub-task %s/%s was refused: %w", r.Namespace, r.Name, err)
	}
	return s, err
}
