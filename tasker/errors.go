package tasker

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// ErrorKind says whether trying again can help.
type ErrorKind string

// A permanent error ends the step; a retryable one gives it another attempt,
// as far as its limit allows.
const (
	KindPermanent ErrorKind = "permanent"
	KindRetryable ErrorKind = "retryable"
)

// The codes that the engine itself gives.
const (
	CodeUnexpected      = "UNEXPECTED_ERROR"    // the handler returned a plain error
	CodeTimeout         = "STEP_TIMEOUT"        // the run took longer than timeout_seconds
	CodePanic           = "HANDLER_PANIC"       // the handler panicked; the stack is in the context
	CodeExit            = "HANDLER_EXITED"      // the handler called runtime.Goexit, as t.FailNow does
	CodeNilError        = "HANDLER_NIL_ERROR"   // the handler returned a nil pointer as a non-nil error
	CodeResult          = "RESULT_NOT_STORABLE" // no store can keep the result
	CodeResultTooLarge  = "RESULT_TOO_LARGE"    // the result is over payload.MaxBytes, or the task over MaxTaskBytes
	CodeErrorTooLarge   = "ERROR_TOO_LARGE"     // the error's code or text is over MaxErrorText
	CodeInput           = "HANDLER_INPUT"       // the handler's input cannot be read from the task
	CodeWorkerLost      = "WORKER_LOST"         // workers died during the step too often
	CodeDeadline        = "TASK_DEADLINE"       // the task is past its max_duration_minutes
	CodeExpired         = "WAIT_EXPIRED"        // nobody answered in time, or the awaited task did not end
	CodeWait            = "WAIT_REFUSED"        // the handler may not wait there, or for that
	CodeWaitIgnored     = "WAIT_IGNORED"        // the handler went on though it was told to wait
	CodeByHand          = "FAILED_BY_HAND"      // an operator failed the step, and gave no other code
	CodeInvalidInput    = "INVALID_INPUT"       // the context breaks the input schema
	CodeKeyRequired     = "IDEMPOTENCY_KEY_REQUIRED"
	CodeKeyMismatch     = "IDEMPOTENCY_MISMATCH" // the key stands for a task with other input
	CodeTaskHandler     = "TASK_HANDLER_FAILED"  // the task handler failed without a verdict
	CodeUnknownTemplate = "UNKNOWN_TEMPLATE"
)

// Error is a handler's verdict on a failure: whether trying again can help,
// a stable code for programs and a message for people. Handlers return it;
// the engine stores it.
type Error struct {
	Kind       ErrorKind
	Code       string
	Message    string
	RetryAfter time.Duration  // the least wait before the next attempt; 0 leaves it to the backoff
	Context    map[string]any // figures for whoever looks into it
	cause      error
}

// Permanent is the verdict that trying again cannot help: a declined card
// stays declined. The format may wrap a cause with %w.
func Permanent(code, format string, args ...any) *Error {
	return newError(KindPermanent, code, format, args)
}

// Retryable is the verdict that another attempt may succeed. A plain error
// means the same, without a code of its own.
func Retryable(code, format string, args ...any) *Error {
	return newError(KindRetryable, code, format, args)
}

func newError(kind ErrorKind, code, format string, args []any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// After asks for at least d before the next attempt, and gives the error back.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// With adds a figure to the error's context, and gives the error back.
func (e *Error) With(key string, value any) *Error {
	if e.Context == nil {
		e.Context = map[string]any{}
	}
	e.Context[key] = value
	return e
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// Unwrap gives the cause that the message was made with.
func (e *Error) Unwrap() error { return e.cause }

// storedError is the form of an Error in logs and reports.
type storedError struct {
	Kind         ErrorKind      `json:"kind"`
	Code         string         `json:"code,omitempty"`
	Message      string         `json:"message"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty"`
	Context      map[string]any `json:"context,omitempty"`
}

// MarshalJSON writes the error as logs and reports have it, the wait in whole
// milliseconds.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedError{e.Kind, e.Code, e.Message, e.RetryAfter.Milliseconds(), e.Context})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Error) UnmarshalJSON(b []byte) error {
	var s struct {
		storedError
		Context map[string]json.RawMessage `json:"context"` // as it stands: a large number stays what it is
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*e = Error{Kind: s.Kind, Code: s.Code, Message: s.Message, RetryAfter: time.Duration(s.RetryAfterMS) * time.Millisecond}
	for key, value := range s.Context {
		_ = e.With(key, value)
	}
	return nil
}

// verdict turns whatever a handler returned into an error that can be stored.
// timedOut says that the run's own deadline has passed, which explains any
// plain error.
func verdict(err error, timedOut bool) *Error {
	if isNilPointer(err) {
		return Permanent(CodeNilError, "the handler returned a nil %T as its error, which is not nil; return a plain nil for success", err)
	}
	var e *Error
	switch {
	case errors.As(err, &e) && e != nil:
		e = &Error{Kind: e.Kind, Code: e.Code, Message: e.Message, RetryAfter: max(e.RetryAfter, 0), Context: e.Context}
		if _, bare := err.(*Error); !bare {
			e.Message, _ = errorText(err) // with what was wrapped around the verdict
		}
	default:
		text, ok := errorText(err)
		switch e = Retryable(CodeUnexpected, "%s", text); {
		case !ok:
			e.Kind, e.Code = KindPermanent, CodePanic
		case timedOut:
			e.Code, e.Message = CodeTimeout, "the run took longer than timeout_seconds: "+text
		}
	}
	return e.storable()
}

// storable is the error with what no store keeps made visible, and refused
// when it is too large.
func (e *Error) storable() *Error {
	e.Code, e.Message = payload.Text(e.Code), payload.Text(e.Message)
	if n := max(len(e.Code), len(e.Message)); n > MaxErrorText {
		return Permanent(CodeErrorTooLarge, "the handler failed with %.60s and a text of %d bytes; the limit is %d", e.Code, n, MaxErrorText)
	}
	if e.Kind != KindPermanent {
		e.Kind = KindRetryable
	}
	if e.Context != nil {
		e.Context = storableContext(e.Context)
	}
	return e
}

// storableContext is an error's context as it can be stored.
func storableContext(context map[string]any) map[string]any {
	kept, size := make(map[string]any, len(context)), 0
	for key, value := range context {
		raw := storableValue(value)
		kept[payload.Text(key)] = raw
		size += len(key) + len(raw)
	}
	if size > payload.MaxBytes {
		return map[string]any{"context": notStored(size)}
	}
	return kept
}

// notStored stands in place of what is too large beside a result or an error.
func notStored(size int) json.RawMessage {
	raw, _ := json.Marshal(fmt.Sprintf("not stored: it has %d bytes; the limit is %d", size, payload.MaxBytes))
	return raw
}

// size is how many bytes a storable error has, about.
func (e *Error) size() int {
	if e == nil {
		return 0
	}
	n := len(e.Code) + len(e.Message)
	for key, value := range e.Context {
		raw, _ := value.(json.RawMessage)
		n += len(key) + len(raw)
	}
	return n
}

// storableValue is a value as it can be stored. A value that cannot be is
// replaced by the reason, since a figure beside a result must not fail it.
func storableValue(value any) json.RawMessage {
	raw, err := payload.Encode(value)
	if err != nil {
		raw, _ = json.Marshal("not stored: " + payload.Text(err.Error()))
	}
	return raw
}

// errorText calls Error, which is the handler's code and may panic.
func errorText(err error) (text string, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			text, ok = fmt.Sprintf("the handler returned a %T whose Error method panics", err), false
		}
	}()
	return err.Error(), true
}

func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}
