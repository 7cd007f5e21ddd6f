package tasker

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// The stored form of events is JSON. It is written for every step of every
// task, so this is done by hand; what is read back is rare, and is not.

// AppendEvents appends events as a JSON array, the form in which a store on
// disk keeps a record. Waits are in whole milliseconds.
func AppendEvents(b []byte, events []Event) []byte {
	b = append(b, '[')
	for i := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = events[i].appendJSON(b)
	}
	return append(b, ']')
}

// ParseEvents reads what AppendEvents wrote.
func ParseEvents(raw []byte) ([]Event, error) {
	if e, ok := parseSubmitted(raw); ok {
		return []Event{e}, nil
	}
	var events []Event
	err := json.Unmarshal(raw, &events)
	return events, err
}

// parseSubmitted reads what every log begins with, and most logs that are read
// have no more.
func parseSubmitted(raw []byte) (e Event, ok bool) {
	rest, ok := bytes.CutPrefix(raw, []byte(`[{"kind":"submitted",`))
	if !ok {
		return e, false
	}
	if trace, found := bytes.CutPrefix(rest, []byte(`"trace":"`)); found {
		i := bytes.IndexAny(trace, `"\`)
		if i < 0 || !bytes.HasPrefix(trace[i:], []byte(`",`)) {
			return e, false
		}
		e.Trace, rest = string(trace[:i]), trace[i+2:]
	}
	context, ok := bytes.CutPrefix(rest, []byte(`"context":`))
	if !ok {
		return e, false
	}
	context, ok = bytes.CutSuffix(context, []byte(`}]`))
	if !ok || !json.Valid(context) {
		return e, false
	}
	e.Kind, e.Context = Submitted, bytes.Clone(context)
	return e, true
}

// MarshalJSON writes the event as AppendEvents does.
func (e Event) MarshalJSON() ([]byte, error) { return e.appendJSON(nil), nil }

func (e *Event) appendJSON(b []byte) []byte {
	b = append(b, `{"kind":"`...)
	b = append(b, e.Kind.String()...)
	b = append(b, '"')
	b = appendText(b, "step", e.Step)
	b = appendNumber(b, "attempt", int64(e.Attempt))
	b = appendText(b, "trace", e.Trace)
	b = appendRaw(b, "context", e.Context)
	b = appendRaw(b, "result", e.Result)
	b = appendRaw(b, "metadata", e.Metadata)
	if e.Error != nil {
		raw, _ := e.Error.MarshalJSON() // its context was encoded before
		b = appendRaw(b, "error", raw)
	}
	b = appendNumber(b, "delay_ms", e.Delay.Milliseconds())
	if !e.Worker.IsZero() {
		b = appendText(b, "worker", e.Worker.String())
	}
	if e.TaskState != TaskPending {
		b = appendText(b, "task_state", e.TaskState.String())
	}
	if e.Undo {
		b = append(appendKey(b, "undo"), "true"...)
	}
	if e.Wait != nil {
		raw, _ := e.Wait.MarshalJSON() // its prompt was encoded before
		b = appendRaw(b, "wait", raw)
	}
	b = appendText(b, "actor", e.Actor)
	b = appendText(b, "reason", e.Reason)
	return append(b, '}')
}

func appendKey(b []byte, key string) []byte {
	b = append(b, `,"`...)
	b = append(b, key...)
	return append(b, `":`...)
}

func appendRaw(b []byte, key string, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return b
	}
	return append(appendKey(b, key), raw...)
}

func appendNumber(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(appendKey(b, key), n, 10)
}

func appendText(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	return AppendString(appendKey(b, key), text)
}

// AppendString appends a text as a JSON string.
func AppendString(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string always encodes
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(raw []byte) error {
	type plain Event
	read := struct {
		*plain
		DelayMS int64 `json:"delay_ms"`
	}{plain: (*plain)(e)}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err
	}
	e.Delay = time.Duration(read.DelayMS) * time.Millisecond
	return nil
}

// storedWait is the form of a Wait in logs and reports.
type storedWait struct {
	Name      string          `json:"name,omitempty"`
	Task      ID              `json:"task,omitzero"`
	Prompt    json.RawMessage `json:"prompt,omitempty"`
	ExpiresMS int64           `json:"expires_ms,omitempty"`
}

// MarshalJSON writes the wait as logs and reports have it, the expiry in whole
// milliseconds.
func (w *Wait) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedWait{w.Name, w.Task, w.Prompt, w.Expires.Milliseconds()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (w *Wait) UnmarshalJSON(raw []byte) error {
	var s storedWait
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	*w = Wait{Name: s.Name, Task: s.Task, Prompt: s.Prompt, Expires: time.Duration(s.ExpiresMS) * time.Millisecond}
	return nil
}
