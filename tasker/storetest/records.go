package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tasker-systems/tasker-go/tasker"
)

var recording = chapter{"records", []promise{
	{"every field of every kind of event comes back", everyEvent},
	{"the events of a record keep their order", eventsInOrder},
	{"the text of a payload comes back byte by byte", payloadText},
	{"texts come back as they were", oddTexts},
	{"the context of an error keeps its values", errorContext},
	{"waits come back to the millisecond", waits},
	{"a log of 2,000 records comes back whole and in order", longLog},
	{"a record of several megabytes comes back whole", largeRecord},
	{"an old reading of a log does not change when it grows", oldReading},
}}

// sameRecords compares all but what a store need not give back.
func (w *world) sameRecords(want, got []tasker.Record) {
	w.Helper()
	if slices.EqualFunc(want, got, sameRecord) { // most often, and many times as fast as cmp
		return
	}
	errorText := cmp.Transformer("JSON", func(e *tasker.Error) string { return spelled(e) })
	payloadText := cmp.Transformer("text", func(r json.RawMessage) string { return string(r) })
	w.Errorf("the records are not what was stored:\n%s", cmp.Diff(want, got, errorText, payloadText))
}

func sameRecord(a, b tasker.Record) bool {
	return a.ID == b.ID && a.Seq == b.Seq && a.Writer == b.Writer && a.At.Equal(b.At) && slices.EqualFunc(a.Events, b.Events, sameEvent)
}

func sameEvent(a, b tasker.Event) bool {
	payloads := string(a.Result) == string(b.Result) && string(a.Metadata) == string(b.Metadata) && string(a.Context) == string(b.Context)
	errors := spelled(a.Error) == spelled(b.Error)
	for _, e := range []*tasker.Event{&a, &b} {
		e.Result, e.Metadata, e.Context, e.Error = nil, nil, nil, nil
	}
	return payloads && errors && reflect.DeepEqual(a, b)
}

// spelled is an error as JSON, since its context has values of any type.
func spelled(e *tasker.Error) string {
	if e == nil {
		return ""
	}
	raw, err := json.Marshal(e)
	return fmt.Sprint(string(raw), err)
}

// keepsEvents wants events to come back as they were stored.
func (w *world) keepsEvents(events ...tasker.Event) {
	w.Helper()
	task := w.submit()
	a := w.next(task, nobody)
	a.Record.Events = events
	answer := w.stores(a)
	want := a.Record
	want.Seq, want.At = 2, answer.At
	w.sameRecords([]tasker.Record{want}, w.load(task).Records[1:])
}

func everyEvent(w *world) {
	full := tasker.Permanent("DECLINED", "the card was declined").With("reason", "funds").With("tries", 3)
	full.RetryAfter = 1500 * time.Millisecond
	for kind := tasker.Submitted; kind <= tasker.Withdrawn; kind++ {
		w.keepsEvents(tasker.Event{
			Kind: kind, Step: "charge", Attempt: 3, Result: json.RawMessage(`{"id":1}`), Metadata: json.RawMessage(`{"ms":2}`), Error: full,
			Delay: 250 * time.Millisecond, Context: json.RawMessage(`{"order":1}`), Worker: w.id(), TaskState: tasker.TaskCancelled, Trace: "00-1-2-01", Actor: "anna", Reason: "asked for",
		}, tasker.Event{Kind: kind})
	}
	for _, trace := range []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", `a "quoted" \ one`, `","context":{}}]`} {
		w.keepsEvents(tasker.Event{Kind: tasker.Submitted, Context: json.RawMessage(`{"a":"}]"}`), Trace: trace})
	}
	for state := tasker.TaskPending; state <= tasker.TaskResolved; state++ {
		w.keepsEvents(tasker.Event{Kind: tasker.Finished, TaskState: state})
	}
	w.keepsEvents(tasker.Event{Kind: tasker.Retrying, Step: "a", Attempt: 1, Error: tasker.Retryable("", "")})
}

func eventsInOrder(w *world) {
	var events []tasker.Event
	for i := range 3000 {
		events = append(events, tasker.Event{Kind: tasker.Started, Step: fmt.Sprintf("step_%d", (i*7919)%3000), Attempt: i + 1})
	}
	w.keepsEvents(events...)
}

func payloadText(w *world) {
	for _, text := range []string{
		`null`, `true`, `0`, `-0`, `-0.0`, `1.0`, `1.50`, `1E5`, `1e+05`, `1e-7`, `1e399`, `12345678901234567890`, `9007199254740993`,
		strings.Repeat("9", 400), `0.1000000000000000055511151231257827`, `""`, `{}`, `[]`, `[[],{}]`, `{"":""}`,
		`{"b":1,"a":2,"B":3}`, `{"a":1,"a":2}`, `"<b>&amp;</b>"`, `"\u003c\/\u00e9"`, "\"\u2028\u2029\uFFFD\uFFFE\"", `"\\u0000 \\x00 \"'$1 $$ %s ?"`,
		`"\ud83d\ude00"`, `"😀 é e\u0301"`, "\"\u202eabc\"", `"\b\f\n\r\t"`, "\"\x7f\"", strings.Repeat("[", 60) + strings.Repeat("]", 60),
		`"` + strings.Repeat("é", 50_000) + `"`, `{"` + strings.Repeat("k", 5000) + `":[1,2.0,3e0]}`,
	} {
		raw := json.RawMessage(text)
		w.keepsEvents(
			tasker.Event{Kind: tasker.Completed, Step: "a", Attempt: 1, Result: raw},
			tasker.Event{Kind: tasker.Completed, Step: "a", Attempt: 1, Metadata: json.RawMessage(`{"v":` + text + `}`), Context: raw},
		)
	}
}

func oddTexts(w *world) {
	for _, text := range []string{
		" ", " both ends ", "a\nb\r\n\tc", "\x01\x1f\x7f", `"'\` + "`", `\u0000`, `'; drop table tasks; --`, "$1 $$ $tag$ %s ? :name", "é e\u0301 ﬁ ß İ", "\u202eright to left", "😀👩‍👩‍👧", "\u2028\uFFFD\uFEFF",
		"{}", "null", strings.Repeat("x", 255),
	} {
		w.keepsEvents(tasker.Event{Kind: tasker.Submitted, Context: json.RawMessage(`{}`), Trace: text})
		w.keepsEvents(tasker.Event{Kind: tasker.Failed, Step: text, Attempt: 1, Actor: text, Reason: text, Error: tasker.Permanent(text, "%s", text)})
		task := w.task(called(text), tagged(text))
		task.Row.CorrelationID = text
		w.submitAll(task)
		if row := w.row(task.Row.ID); row.Identity != text || row.Tag != text || row.CorrelationID != text {
			w.Errorf("%q came back as identity %q, tag %q, correlation id %q", text, row.Identity, row.Tag, row.CorrelationID)
		}
		if rows := w.list(tasker.Filter{Tag: text}); len(rows) != 1 {
			w.Errorf("%d tasks are listed under the tag %q", len(rows), text)
		}
		if got := w.submit(called(text)); got != task.Row.ID {
			w.Errorf("the identity %q is not known again", text)
		}
	}
}

func errorContext(w *world) {
	e := tasker.Retryable("BUSY", "try again")
	for key, text := range map[string]string{
		"": `""`, "large": `12345678901234567890`, "spelt": `1.0`, "nothing": `null`, "list": `[1,"two",{"three":3.5}]`, "odd \"key\" é": `"<&>"`,
	} {
		_ = e.With(key, json.RawMessage(text))
	}
	w.keepsEvents(tasker.Event{Kind: tasker.Retrying, Step: "a", Attempt: 1, Error: e})
}

func waits(w *world) {
	for _, wait := range []time.Duration{0, time.Millisecond, 999 * time.Millisecond, time.Second, 30 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		w.keepsEvents(tasker.Event{Kind: tasker.Retrying, Step: "a", Attempt: 1, Delay: wait, Error: tasker.Retryable("X", "x").After(wait)})
	}
}

func longLog(w *world) {
	const n = 2000
	k := w.join()
	task := k.has()
	want := w.load(task).Records
	for i := len(want); i < n; i++ {
		a := tasker.Append{Task: task, After: int64(i), WakeIn: -1, Record: w.record(k.id)}
		a.Record.Events[0].Attempt = i
		a.Record.Seq, a.Record.At = int64(i+1), w.stores(a).At
		want = append(want, a.Record)
	}
	w.sameRecords(want, w.load(task).Records)
	w.stores(releases(w.next(task, k.id), tasker.TaskInProgress, 0))
	if log := w.offers(w.any(1)).Logs[0]; len(log.Records) != n+1 {
		w.Errorf("the task is offered with %d records of %d", len(log.Records), n+1)
	}
}

func largeRecord(w *world) {
	var events []tasker.Event
	for i := range 3 {
		result := `"` + strings.Repeat(string(rune('a'+i)), 1<<20-2) + `"`
		events = append(events, tasker.Event{Kind: tasker.Completed, Step: "a", Attempt: i + 1, Result: json.RawMessage(result)})
	}
	w.keepsEvents(events...)
}

func oldReading(w *world) {
	task := w.submit()
	early := w.load(task)
	for range 3 {
		w.stores(w.next(task, nobody))
	}
	late := w.load(task)
	w.stores(w.next(task, nobody))
	if len(early.Records) != 1 || len(late.Records) != 4 || early.Records[0].ID != late.Records[0].ID || late.Records[3].Seq != 4 {
		w.Errorf("the first reading has %d records, the second %d", len(early.Records), len(late.Records))
	}
}
