package tasker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// The causes for which the context of a handler ends, besides its timeout.
// Each is a context.Canceled too, for code that looks for no more.
var (
	ErrCancelled = fmt.Errorf("the task was cancelled: %w", context.Canceled)
	ErrLeaseLost = fmt.Errorf("the task was lost to another worker: %w", context.Canceled)
	ErrStopping  = fmt.Errorf("the worker is stopping: %w", context.Canceled)
)

// run is one attempt of a step in this process.
type run struct {
	task    *held
	step    int
	attempt int
	about   Attempt
	runner  Runner
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timeout time.Duration

	deadline  time.Time // zero for none
	endedAt   time.Time // when its context was cancelled; zero for not yet
	inLine    bool      // its start is stored, and it waits for a slot
	abandoned bool      // went on long after its context had ended; its slot is given away
}

// binding is the handler that the run calls.
func (r *run) binding() *binding {
	if r.about.Undo {
		return r.task.plan.undo[r.step]
	}
	return r.task.plan.steps[r.step]
}

// event is something that happens to the run's attempt.
func (r *run) event(kind EventKind) Event {
	return Event{Kind: kind, Step: r.about.Step, Attempt: r.attempt, Undo: r.about.Undo}
}

// outcome is what became of a run.
type outcome struct {
	run      *run
	result   json.RawMessage
	metadata json.RawMessage
	err      *Error
	wait     *Wait // the step is to be parked

	withdrawn bool // nothing is left of it: the handler has not run, or was rolled back
}

// begin has the handler run in a goroutine of its own.
func (w *worker) begin(r *run) {
	r.ctx, r.cancel = context.WithCancelCause(WithAttempt(context.Background(), &r.about))
	if r.transactional() {
		r.about.transactional = true
		w.boundTransaction(r)
	}
	if r.timeout > 0 {
		r.deadline = w.now.Add(r.timeout)
	}
	r.runner = w.runner(r)
	w.crew.add(r)
}

// execute runs a handler. The outcome is posted in whatever way it ends: by
// returning, by a panic, or by runtime.Goexit, which takes the goroutine with
// it and which only a deferred call sees.
func (w *worker) execute(r *run) {
	o := outcome{run: r, err: exited}
	defer func() {
		if p := recover(); p != nil {
			o.result, o.wait, o.err = nil, nil, panicked(p).storable()
		}
		o.metadata = r.about.notes()
		r.cancel(nil)
		w.post(o)
	}()
	if r.transactional() {
		w.transact(r, &o)
		return
	}
	o.result, o.wait, o.err = attempt(r.ctx, r)
}

var exited = Permanent(CodeExit, "the handler ended its goroutine; runtime.Goexit and t.FailNow do that")

// runner is the step's handler with the middleware around it.
func (w *worker) runner(r *run) Runner {
	bound, task := r.binding(), r.task.task
	var done json.RawMessage
	if r.about.Undo {
		done = task.Steps[r.step].Result
	}
	var runner Runner = func(ctx context.Context) (any, error) { return call(ctx, bound, task.Steps, done) }
	for i := len(w.config.Middleware) - 1; i >= 0; i-- {
		runner = w.config.Middleware[i](runner)
	}
	return runner
}

// attempt runs the handler within its time. It succeeds with a result, or is
// to be parked with a wait, or fails.
func attempt(ctx context.Context, r *run) (json.RawMessage, *Wait, *Error) {
	if r.timeout > 0 {
		limited, stop := context.WithTimeout(ctx, r.timeout)
		defer stop()
		ctx = limited
	}
	result, err := r.runner(ctx)
	wait, err := r.about.parking(err)
	if wait != nil {
		return nil, wait, nil
	}
	var raw json.RawMessage
	if err == nil {
		raw, err = encodeResult(result, len(r.about.Metadata()))
	}
	if err != nil {
		timedOut := errors.Is(ctx.Err(), context.DeadlineExceeded) && context.Cause(r.ctx) == nil
		return nil, nil, verdict(err, timedOut)
	}
	return raw, nil, nil
}

// call builds a handler's input and calls it.
func call(ctx context.Context, b *binding, steps []TaskStep, done json.RawMessage) (any, error) {
	in, err := b.input(Current(ctx), steps)
	if err != nil {
		return nil, err
	}
	return b.handler.call(ctx, in, done)
}

// protect turns a panic of f into a permanent error that keeps the stack.
func protect(f func() (any, error)) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return f()
}

const maxStack = 8 << 10

func panicked(p any) *Error {
	stack := debug.Stack()
	return Permanent(CodePanic, "%s", fmt.Sprint("panic: ", p)).With("stack", string(stack[:min(len(stack), maxStack)]))
}

func encodeResult(result any, metadata int) (json.RawMessage, error) {
	raw, err := payload.Encode(result)
	switch {
	case errors.Is(err, payload.ErrTooLarge) || err == nil && len(raw)+metadata > payload.MaxBytes:
		return nil, Permanent(CodeResultTooLarge, "the result and its metadata are larger than %d bytes; store it elsewhere and hand on where it is", payload.MaxBytes)
	case err != nil:
		return nil, Permanent(CodeResult, "the result cannot be stored: %s", err)
	}
	return raw, nil
}
