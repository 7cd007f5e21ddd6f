package tasker

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Handlers names the handlers that templates call: a template's `callable` is
// a key. The map is a workflow's table of contents.
type Handlers map[string]Handler

// Handler is a function that the engine can call, made by [Step], [Undo],
// [OnSubmit] or [Methods].
type Handler struct {
	kind    handlerKind
	in, out reflect.Type
	done    reflect.Type // what an Undo is given: the step's result
	newIn   func() any
	call    func(ctx context.Context, in any, done json.RawMessage) (any, error)
	finish  func(ctx context.Context, ended *Task)
	methods map[string]Handler

	transactional bool
}

type handlerKind string

const (
	stepHandler handlerKind = "step"
	undoHandler handlerKind = "handler that undoes a step"
	taskHandler handlerKind = "task handler"
	manyMethods handlerKind = "group of methods"
)

// Step makes a handler of a function that does one step's work.
//
// In is a struct. The tag of each field says where its value comes from:
//
//	context:"payment_info"          a key of the task's context; "." is all of it
//	result:"validate_cart"          the result of a step that this one depends on, directly or not
//	initialization:"gateway_url"    a key of the handler's initialization; "." is all of it
//
// All of it is checked when an engine is made: that the key is declared, that
// the step is an ancestor, and that the types fit each other. What the
// context leaves out keeps its zero value. The result of an optional step
// wants a pointer, which is nil when the step has failed.
//
// Out is what the step hands on, as JSON. The error is a verdict: see
// [Permanent] and [Retryable]. A plain error is retryable.
func Step[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return newHandler(stepHandler, f)
}

// Undo makes a handler that undoes a step: a template names it under the
// step's `compensate`. Its In has the tags of [Step], and may be the In of the
// step itself; the step's initialization is given too, overlaid by that of
// `compensate`. result is the step's, and nil when nobody knows whether the
// step took effect. [Key] is the key that the step had, by which one finds out.
// To find nothing that must be undone is success. What Undo returns is kept
// for the report, beside the step.
//
// An undoing cannot wait: [Ask] and [Await] are refused there. It may [Submit],
// also what takes back a sub-task.
func Undo[In, Result, Out any](f func(ctx context.Context, in In, result *Result) (Out, error)) Handler {
	return Handler{
		kind:  undoHandler,
		in:    reflect.TypeFor[In](),
		out:   reflect.TypeFor[Out](),
		done:  reflect.TypeFor[Result](),
		newIn: func() any { return new(In) },
		call: func(ctx context.Context, in any, done json.RawMessage) (any, error) {
			var result *Result
			if done != nil {
				if err := json.Unmarshal(done, &result); err != nil {
					return nil, Permanent(CodeInput, "the result of the step that is undone: %w", err)
				}
			}
			return f(ctx, *in.(*In), result)
		},
	}
}

// OnSubmit makes a task handler, which runs when a task is submitted and
// before it is stored. Its In has the tags of [Step], without results. The
// fields of Out are added to the task's context. A [Permanent] error rejects
// the task with its code; any other error fails the submit.
//
// It has no effects to be undone, and may run for a task that is never
// stored.
func OnSubmit[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return newHandler(taskHandler, f)
}

// OnFinish adds a function to a task handler that sees each task when it has
// ended. It is told at most once, by the worker that ended the task: a worker
// that dies at that moment tells nobody, nor does one on which a thousand of such
// functions have not returned. Work that must happen is a step.
func (h Handler) OnFinish(f func(ctx context.Context, ended *Task)) Handler {
	h.finish = f
	return h
}

// Methods makes one handler of several: a template chooses with
// `handler.method`. The one named "call" serves templates that choose none.
func Methods(methods map[string]Handler) Handler {
	return Handler{kind: manyMethods, methods: methods}
}

func newHandler[In, Out any](kind handlerKind, f func(ctx context.Context, in In) (Out, error)) Handler {
	return Handler{
		kind:  kind,
		in:    reflect.TypeFor[In](),
		out:   reflect.TypeFor[Out](),
		newIn: func() any { return new(In) },
		call: func(ctx context.Context, in any, _ json.RawMessage) (any, error) {
			return f(ctx, *in.(*In))
		},
	}
}

// method is the handler behind a reference, or ok false.
func (hs Handlers) method(ref template.HandlerRef) (h Handler, ok bool) {
	h, ok = hs[ref.Callable]
	if !ok {
		return h, false
	}
	name := ref.Method
	if name == "" {
		name = "call"
	}
	if h.kind == manyMethods {
		h, ok = h.methods[name]
		return h, ok && h.kind != manyMethods
	}
	return h, name == "call"
}

// InTransaction makes the run of a step's handler part of the transaction that
// records it. It is for stores that offer one, a [Transactor]; on any other an
// engine with such a handler is refused.
func (h Handler) InTransaction() Handler {
	h.transactional = true
	return h
}
