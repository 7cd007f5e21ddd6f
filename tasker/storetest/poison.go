package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker"
)

// What databases refuse, alter or blow up has the same outcome on every store:
// it is kept to the byte, or refused where it appears. Either way its step
// ends.
var poisoning = chapter{"poison", []promise{
	{"input is kept as it is, or the submit is rejected", poisonInput},
	{"a result is kept as it is, or its step fails for good", poisonResult},
	{"a note is kept as it is, or replaced by the reason", poisonNote},
	{"the context of an error is kept as it is, or replaced by the reason", poisonErrorContext},
	{"the text of an error is kept, with what cannot be made visible", poisonErrorText},
	{"the reason of a cancel is kept, with what cannot be made visible", poisonReason},
	{"a key, a tag and a correlation id are kept as they are, or the submit is rejected", poisonKey},
}}

// jsonPoison is one row of the table: a JSON text and what becomes of it.
type jsonPoison struct {
	name, text string
	fate       fate
}

type fate int

const (
	kept      fate = iota
	compacted      // kept without the spaces between tokens
	refused
	ambiguous // refused as input, since the last of equal keys would win silently; kept elsewhere
)

var jsonPoisons = []jsonPoison{
	{"NUL", `"a\u0000b"`, refused},
	{"NUL in a key", `{"\u0000":1}`, refused},
	{"NUL deep inside", `[{"a":[1,"\u0000"]}]`, refused},
	{"raw NUL", "\"\x00\"", refused},
	{"escaped backslash before u0000", `"\\u0000"`, kept},
	{"two of them before NUL", `"\\\\\u0000"`, refused},
	{"first half of a pair", `"\ud800"`, refused},
	{"second half of a pair", `"\udc00"`, refused},
	{"halves in the wrong order", `"\udc00\ud800"`, refused},
	{"first half twice", `"\ud800\ud800"`, refused},
	{"first half before text", `"\ud800x"`, refused},
	{"half a pair in a key", `{"\udfff":1}`, refused},
	{"a whole pair", `"\ud83d\ude00"`, kept},
	{"raw 0xFF", "\"\xff\"", refused},
	{"overlong NUL", "\"\xc0\x80\"", refused},
	{"half a pair in UTF-8", "\"\xed\xa0\x80\"", refused},
	{"cut character", "\"\xe2\x82\"", refused},
	{"beyond Unicode", "\"\xf4\x90\x80\x80\"", refused},
	{"the replacement character", "\"\uFFFD\"", kept},
	{"no character U+FFFE", "\"\uFFFE\uFFFF\"", kept},
	{"byte order mark inside", "\"\uFEFF\"", kept},
	{"byte order mark before", "\uFEFF1", refused},
	{"line separators", "\"\u2028\u2029\"", kept},
	{"right to left", "\"\u202eabc\"", kept},
	{"family", `"👩‍👩‍👧"`, kept},
	{"combining marks", `"e` + strings.Repeat("\u0301", 100) + `"`, kept},
	{"markup", `"<script>&amp;</script>"`, kept},
	{"escapes that need not be", `"\u003c\/\u0041"`, kept},
	{"control escapes", `"\b\f\n\r\t\u001f"`, kept},
	{"raw newline", "\"\n\"", refused},
	{"delete", "\"\x7f\"", kept},
	{"SQL", `"'; drop table tasks; -- $1 $$ $tag$ %s ? :x \\' "`, kept},
	{"backslashes", `"\\\\\\x00\\\\000"`, kept},
	{"explodes in jsonb", `1e131071`, refused},
	{"explodes many times", `[` + strings.Repeat(`1e131071,`, 1000) + `1]`, refused},
	{"small beyond numeric", `1e-131071`, refused},
	{"beyond every number", `1e100000000`, refused},
	{"exponent beyond 64 bits", `1e99999999999999999999`, refused},
	{"largest exponent", `1e399`, kept},
	{"one more", `1e400`, refused},
	{"400 digits", strings.Repeat("7", 400), kept},
	{"401 digits", strings.Repeat("7", 401), refused},
	{"2^53+1", `9007199254740993`, kept},
	{"beyond 64 bits", `12345678901234567890`, kept},
	{"fraction of zeros", `1.0`, kept},
	{"trailing zero", `1.50`, kept},
	{"negative zero", `-0`, kept},
	{"large E", `1E+5`, kept},
	{"many places", `0.30000000000000004441`, kept},
	{"leading zero", `01`, refused},
	{"plus", `+1`, refused},
	{"bare point", `1.`, refused},
	{"NaN", `NaN`, refused},
	{"infinity", `-Infinity`, refused},
	{"deep", strings.Repeat("[", 60) + strings.Repeat("]", 60), kept},
	{"too deep", strings.Repeat("[", 70) + strings.Repeat("]", 70), refused},
	{"far too deep", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), refused},
	{"deep objects", strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat("}", 70), refused},
	{"equal keys", `{"a":1,"a":2}`, ambiguous},
	{"keys equal but for case", `{"a":1,"A":2}`, ambiguous},
	{"keys equal once unescaped", `{"a":1,"\u0061":2}`, ambiguous},
	{"keys out of order", `{"b":1,"a":2,"":3}`, kept},
	{"long key", `{"` + strings.Repeat("k", 10_000) + `":1}`, kept},
	{"many keys", manyKeys(2000), kept},
	{"long text", `"` + strings.Repeat("é", 100_000) + `"`, kept},
	{"empty text", `""`, kept},
	{"empty object", `{}`, kept},
	{"empty list", `[]`, kept},
	{"null", `null`, kept},
	{"spaces", "{ \"a\" :\t[ 1 ,\n2 ] }", compacted},
	{"nothing", ``, refused},
	{"only spaces", ` `, refused},
	{"two documents", `1 2`, refused},
	{"cut off", `{"a":`, refused},
	{"comma at the end", `[1,]`, refused},
	{"single quotes", `'a'`, refused},
	{"unknown escape", `"\x41"`, refused},
	{"comment", `1 /* one */`, refused},
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"key %d":%d`, i, i)
	}
	return "{" + b.String()[1:] + "}"
}

// want is what is kept.
func (p *jsonPoison) want() string {
	if p.fate == compacted {
		return strings.NewReplacer(" ", "", "\t", "", "\n", "").Replace(p.text)
	}
	return p.text
}

func poisonInput(w *world) {
	s := w.open(oneStep, giving(nothing)).run()
	var ids []tasker.ID
	for _, p := range jsonPoisons {
		submitted, err := s.Submit(w.Context(), s.request(json.RawMessage(`{"v":`+p.text+`}`)))
		var rejected *tasker.Rejected
		if p.fate == refused || p.fate == ambiguous {
			if !errors.As(err, &rejected) || rejected.Code != tasker.CodeInvalidInput {
				w.Errorf("%s: the submit gives %v, want it rejected", p.name, err)
			}
			continue
		}
		if err != nil {
			w.Errorf("%s: the submit gives %v", p.name, err)
			continue
		}
		ids = append(ids, submitted.ID)
		if task := s.ends(submitted.ID); task.State != tasker.TaskComplete || string(task.Context) != `{"v":`+p.want()+`}` {
			w.Errorf("%s: the task is %s with the context %.200s", p.name, task.State, task.Context)
		}
	}
	if rows := w.list(tasker.Filter{Limit: 1000}); len(rows) != len(ids) {
		w.Errorf("%d tasks are there, want %d", len(rows), len(ids))
	}
}

// poisoned runs a task for each row of the table, with a handler that is
// given the row, and tells what became of each.
func poisoned(w *world, gives func(ctx context.Context, doc json.RawMessage) (json.RawMessage, error), check func(p *jsonPoison, step *tasker.TaskStep)) {
	s := w.open(oneStep, giving(func(ctx context.Context, n int) (json.RawMessage, error) {
		return gives(ctx, json.RawMessage(jsonPoisons[n].text))
	})).run()
	requests := make([]tasker.Request, len(jsonPoisons))
	for n := range requests {
		requests[n] = s.request(map[string]int{"n": n})
	}
	submitted, err := s.SubmitAll(w.Context(), requests)
	if err != nil {
		w.Fatal(err)
	}
	for n := range submitted {
		task := s.ends(submitted[n].ID)
		if !task.State.Final() || task.Steps[0].Attempts != 1 {
			w.Errorf("%s: the task is %s after %d attempts", jsonPoisons[n].name, task.State, task.Steps[0].Attempts)
		}
		check(&jsonPoisons[n], &task.Steps[0])
	}
	if stats := s.Stats(); stats.Running != 0 || stats.Stuck != 0 {
		w.Errorf("afterwards the engine is busy with %+v", stats)
	}
}

func poisonResult(w *world) {
	poisoned(w, func(_ context.Context, doc json.RawMessage) (json.RawMessage, error) { return doc, nil },
		func(p *jsonPoison, step *tasker.TaskStep) {
			switch {
			case p.fate == refused:
				if e := step.Error; step.State != tasker.StepError || e == nil || e.Kind != tasker.KindPermanent || e.Code != tasker.CodeResult {
					w.Errorf("%s: the step is %s by %v", p.name, step.State, e)
				}
			case step.State != tasker.StepComplete || string(step.Result) != p.want():
				w.Errorf("%s: the step is %s with %.200s", p.name, step.State, step.Result)
			}
		})
}

// noted checks a value beside a step: as it was, or the reason in its place.
// Its spelling may change: < may have become \u003c, which is the same value.
func (w *world) noted(p *jsonPoison, value string) {
	w.Helper()
	if p.fate == refused && !strings.HasPrefix(value, `"not stored: `) || p.fate != refused && meaning(value) != meaning(p.text) {
		w.Errorf("%s: the value is %.200s", p.name, value)
	}
}

// meaning is a JSON text in one spelling, its numbers as they were.
func meaning(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	raw, _ := json.Marshal(v)
	return string(raw)
}

func poisonNote(w *world) {
	poisoned(w, func(ctx context.Context, doc json.RawMessage) (json.RawMessage, error) {
		tasker.Annotate(ctx, "v", doc)
		return json.RawMessage("1"), nil
	}, func(p *jsonPoison, step *tasker.TaskStep) {
		var noted map[string]json.RawMessage
		if err := json.Unmarshal(step.Metadata, &noted); err != nil || step.State != tasker.StepComplete {
			w.Errorf("%s: the step is %s with the notes %.200s", p.name, step.State, step.Metadata)
		}
		w.noted(p, string(noted["v"]))
	})
}

func poisonErrorContext(w *world) {
	poisoned(w, func(_ context.Context, doc json.RawMessage) (json.RawMessage, error) {
		return nil, tasker.Permanent("MINE", "mine").With("v", doc)
	}, func(p *jsonPoison, step *tasker.TaskStep) {
		if step.State != tasker.StepError || step.Error.Code != "MINE" {
			w.Errorf("%s: the step is %s by %v", p.name, step.State, step.Error)
			return
		}
		raw, _ := step.Error.Context["v"].(json.RawMessage)
		w.noted(p, string(raw))
	})
}

// textPoison is a text, and what is kept of it where it must not be refused.
type textPoison struct{ name, text, visible string }

var textPoisons = []textPoison{
	{"NUL", "a\x00b", `a\x00b`},
	{"only NULs", "\x00\x00", `\x00\x00`},
	{"raw 0xFF", "a\xffb", `a\xffb`},
	{"overlong NUL", "\xc0\x80", `\xc0\x80`},
	{"half a pair in UTF-8", "\xed\xa0\x80", `\xed\xa0\x80`},
	{"cut character", "a\xe2\x82", `a\xe2\x82`},
	{"NUL in letters", `\u0000`, `\u0000`},
	{"replacement character", "\uFFFD", "\uFFFD"},
	{"no character", "\uFFFE", "\uFFFE"},
	{"byte order mark", "\uFEFFa", "\uFEFFa"},
	{"line ends", "a\nb\r\nc\u2028d", "a\nb\r\nc\u2028d"},
	{"controls", "\x01\x1b[31m\x7f", "\x01\x1b[31m\x7f"},
	{"quotes", `'"` + "`" + `\`, `'"` + "`" + `\`},
	{"SQL", `'; drop table tasks; -- $1 $$ %s ?`, `'; drop table tasks; -- $1 $$ %s ?`},
	{"JSON", `{"a":1}`, `{"a":1}`},
	{"markup", "<script>&amp;", "<script>&amp;"},
	{"right to left", "\u202eabc", "\u202eabc"},
	{"combining", "e\u0301 é ﬁ ß İ", "e\u0301 é ﬁ ß İ"},
	{"family", "👩‍👩‍👧", "👩‍👩‍👧"},
	{"spaces", "  a  ", "  a  "},
	{"one space", " ", " "},
	{"as long as may be", strings.Repeat("x", 255), strings.Repeat("x", 255)},
}

func poisonErrorText(w *world) {
	s := w.open(oneStep, giving(func(_ context.Context, n int) (any, error) {
		p := textPoisons[n/2].text
		if n%2 == 0 {
			return nil, errors.New(p)
		}
		return nil, tasker.Permanent(p, "%s", p).With(p, p)
	})).run()
	for n := range 2 * len(textPoisons) {
		p := textPoisons[n/2]
		task := s.ends(s.submit(map[string]int{"n": n}))
		e := task.Steps[0].Error
		if task.State != tasker.TaskError || e == nil || e.Message != p.visible || n%2 == 1 && e.Code != p.visible {
			w.Errorf("%s: the task is %s by %+q", p.name, task.State, fmt.Sprint(e))
			continue
		}
		if _, there := e.Context[p.visible]; n%2 == 1 && !there {
			w.Errorf("%s: the error's context is %v", p.name, e.Context)
		}
	}
}

func poisonReason(w *world) {
	s := w.open(oneStep, giving(nothing))
	for _, p := range textPoisons {
		id := s.submit(map[string]int{"n": 1})
		if err := s.Cancel(w.Context(), id, tasker.By{Actor: p.text, Reason: p.text + p.text}); err != nil {
			w.Errorf("%s: %v", p.name, err)
			continue
		}
		log := w.load(id)
		if e := log.Records[1].Events[0]; e.Actor != p.visible || e.Reason != p.visible+p.visible || log.Row.State != tasker.TaskCancelled {
			w.Errorf("%s: the actor is %q, the reason %q", p.name, e.Actor, e.Reason)
		}
	}
}

func poisonKey(w *world) {
	s := w.open(oneStep, giving(nothing))
	for i, p := range textPoisons {
		for place, change := range map[string]func(*tasker.Request){
			"key":            func(r *tasker.Request) { r.IdempotencyKey = p.text },
			"tag":            func(r *tasker.Request) { r.Tag = p.text },
			"correlation id": func(r *tasker.Request) { r.CorrelationID = p.text },
		} {
			r := s.request(map[string]int{"n": i})
			change(&r)
			submitted, err := s.Submit(w.Context(), r)
			var rejected *tasker.Rejected
			if p.visible != p.text {
				if !errors.As(err, &rejected) || rejected.Code != tasker.CodeInvalidInput {
					w.Errorf("%s as %s gives %v, want it rejected", p.name, place, err)
				}
				continue
			}
			if err != nil {
				w.Errorf("%s as %s gives %v", p.name, place, err)
				continue
			}
			row := w.row(submitted.ID)
			again, err := s.Submit(w.Context(), r)
			if known := again.ID == submitted.ID; err != nil || known != (place == "key") ||
				place == "tag" && row.Tag != p.text || place == "correlation id" && row.CorrelationID != p.text {
				w.Errorf("%s as %s: known again %v, %v; the row is %+v", p.name, place, known, err, row)
			}
		}
	}
}
