package tasker

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/payload"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Request asks for a task.
type Request struct {
	Namespace, Name string
	Version         string // "" is the newest that the engine has
	Context         any    // the task's input: a JSON object, or what encodes as one
	IdempotencyKey  string // two requests with equal keys are one task
	CorrelationID   string // "" makes it the task's id
	Tag             string // of the run that the task belongs to

	parent, root ID // of a sub-task
	trace        string
}

// Submission is what became of a [Request].
type Submission struct {
	ID       ID
	Existing bool // the task was there already: the key or the input is known
}

// Rejected says why a request became no task: its input breaks the schema,
// the task handler refused it, or its key stands for something else.
type Rejected struct {
	Code    string               `json:"code"`
	Message string               `json:"-"`
	Errors  []template.Violation `json:"errors,omitempty"` // sorted by path
}

func (r *Rejected) Error() string {
	if len(r.Errors) == 0 {
		return r.Code + ": " + r.Message
	}
	lines := make([]string, len(r.Errors))
	for i, v := range r.Errors {
		lines[i] = strings.TrimPrefix(v.Path+": "+v.Message, ": ")
	}
	return r.Code + ": " + strings.Join(lines, "; ")
}

// Submit stores a task, to be run by this engine or any other on the store.
// The error is [*Rejected] when the request itself is at fault.
func (e *Engine) Submit(ctx context.Context, r Request) (Submission, error) {
	all, err := e.SubmitAll(ctx, []Request{r})
	if err != nil {
		return Submission{}, err
	}
	return all[0], nil
}

// SubmitAll stores many tasks in one call. When one request is at fault,
// nothing is stored. But that a key stands for other input is found only while
// the tasks are stored: then the others are, and come with the error, and the
// one that is refused has no ID. With no request at all it finds what the first
// submit of an engine that is not started would: that the store does not
// answer, or has another text of a template.
func (e *Engine) SubmitAll(ctx context.Context, requests []Request) ([]Submission, error) {
	if e.config.TraceSubmit == nil {
		return e.submitAll(ctx, requests)
	}
	requests = slices.Clone(requests)
	done := make([]func(ID, error), len(requests))
	for i := range requests {
		r := &requests[i]
		r.trace, done[i] = e.config.TraceSubmit(ctx, r.Namespace, r.Name)
	}
	submissions, err := e.submitAll(ctx, requests)
	for i := range done {
		if i < len(submissions) && !submissions[i].ID.IsZero() {
			done[i](submissions[i].ID, nil)
		} else {
			done[i](ID{}, err)
		}
	}
	return submissions, err
}

func (e *Engine) submitAll(ctx context.Context, requests []Request) ([]Submission, error) {
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	tasks := make([]NewTask, len(requests))
	for i := range requests {
		var err error
		if tasks[i], err = e.prepare(ctx, &requests[i]); err != nil {
			return nil, atRequest(i, len(requests), err)
		}
	}
	rows, err := e.store.Submit(ctx, tasks)
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	submissions := make([]Submission, len(rows))
	for i := range rows {
		existing := rows[i].ID != tasks[i].Row.ID
		if existing && rows[i].InputHash != tasks[i].Row.InputHash {
			refused := &Rejected{Code: CodeKeyMismatch, Message: fmt.Sprintf("the idempotency key %q stands for task %s, which has other input", requests[i].IdempotencyKey, rows[i].ID)}
			err = cmp.Or(err, atRequest(i, len(requests), refused))
			continue
		}
		submissions[i] = Submission{ID: rows[i].ID, Existing: existing}
		if !existing {
			rows[i].Trace = requests[i].trace
			e.onceStored(ctx, func() { e.observed(&rows[i], tasks[i].Record, 1, rows[i].CreatedAt) })
		}
	}
	e.onceStored(ctx, func() { e.handOver(tasks, rows) }) // who observes hears first of the submit, then of what follows
	return submissions, err
}

// atRequest says which of several requests an error is about.
func atRequest(i, of int, err error) error {
	if of == 1 {
		return err
	}
	return fmt.Errorf("request %d of %d: %w", i+1, of, err)
}

// handOver tells this engine's own worker of new tasks, so that an idle one
// need not ask the store for what was just in hand.
func (e *Engine) handOver(tasks []NewTask, rows []Row) {
	e.mu.Lock()
	w := e.worker
	e.mu.Unlock()
	if w == nil {
		return
	}
	var logs []Log
	for i := range rows {
		row := &rows[i]
		if row.ID != tasks[i].Row.ID || w.config.Tag != "" && w.config.Tag != row.Tag {
			continue
		}
		record := tasks[i].Record
		record.Seq, record.At = 1, row.CreatedAt
		logs = append(logs, Log{Row: *row, Records: []Record{record}, Now: row.CreatedAt})
	}
	w.do(func() { w.handed(logs) })
}

// prepare makes the row and the first record of a task.
func (e *Engine) prepare(ctx context.Context, r *Request) (NewTask, error) {
	if err := r.check(); err != nil {
		return NewTask{}, err
	}
	p := e.own[ownName{r.Namespace, r.Name, r.Version}]
	if p == nil {
		return NewTask{}, &Rejected{Code: CodeUnknownTemplate, Message: e.unknownTemplate(r)}
	}
	input, err := inputOf(r.Context)
	if err != nil {
		return NewTask{}, err
	}
	if schema := p.template.InputSchema; schema != nil {
		if violations := schema.Check(input); len(violations) > 0 {
			return NewTask{}, &Rejected{Code: CodeInvalidInput, Errors: violations}
		}
	}
	row := Row{
		ID: e.newID(), Namespace: p.template.Namespace, Name: p.template.Name, Version: p.template.Version,
		Hash: p.template.Hash(), Environment: p.template.Environment, Priority: p.template.Priority,
		CorrelationID: r.CorrelationID, Tag: r.Tag, InputHash: hashOf(input),
		Parent: r.parent, Root: r.root,
	}
	if row.Root.IsZero() {
		row.Root = row.ID
	}
	if row.CorrelationID == "" {
		row.CorrelationID = row.ID.String()
	}
	if err := row.identify(p.template.Identity, r.IdempotencyKey); err != nil {
		return NewTask{}, err
	}
	if p.submit != nil {
		if input, err = e.enrich(ctx, p, &row, input); err != nil {
			return NewTask{}, err
		}
	}
	record := Record{ID: e.newID(), Events: []Event{{Kind: Submitted, Context: input, Trace: r.trace}}}
	return NewTask{Row: row, Record: record}, nil
}

// MaxKey is how long an idempotency key, a correlation id or a tag may be, in
// bytes.
const MaxKey = 255

// check holds the texts of a request to what every store can keep and find
// again.
func (r *Request) check() error {
	for _, text := range []struct{ name, value string }{
		{"idempotency key", r.IdempotencyKey}, {"correlation id", r.CorrelationID}, {"tag", r.Tag},
	} {
		switch {
		case len(text.value) > MaxKey:
			return &Rejected{Code: CodeInvalidInput, Message: fmt.Sprintf("the %s has %d bytes; the limit is %d", text.name, len(text.value), MaxKey)}
		case payload.Text(text.value) != text.value:
			return &Rejected{Code: CodeInvalidInput, Message: fmt.Sprintf("the %s %q has a NUL or is not UTF-8, which not every store can keep", text.name, text.value)}
		}
	}
	return nil
}

// unknownTemplate says that the engine lacks what a request asks for, and what
// it has instead.
func (e *Engine) unknownTemplate(r *Request) string {
	name := fmt.Sprintf("%.255s/%.255s", r.Namespace, r.Name)
	newest := e.own[ownName{r.Namespace, r.Name, ""}]
	switch {
	case newest != nil:
		return fmt.Sprintf("there is no template %s@%.255s; the newest of that name is %s", name, r.Version, newest.template.Version)
	case len(e.own) == 0:
		return fmt.Sprintf("there is no template %s; this engine was made without Config.Templates, and whoever submits a task needs its template and handlers", name)
	default:
		return fmt.Sprintf("there is no template %s%s", name, template.Suggest(r.Namespace+"/"+r.Name, e.templateNames()))
	}
}

func (e *Engine) templateNames() []string {
	var names []string
	for key := range e.own {
		if key.version == "" {
			names = append(names, key.namespace+"/"+key.name)
		}
	}
	return names
}

// inputOf encodes a request's context and refuses what no store keeps.
func inputOf(context any) (json.RawMessage, error) {
	var err error
	raw, isJSON := context.(json.RawMessage)
	switch {
	case isJSON && len(raw) > payload.MaxBytes:
		err = fmt.Errorf("%w: the limit is %d bytes", payload.ErrTooLarge, payload.MaxBytes)
	case isJSON: // looked at before encoding/json has its own say about it
		err = payload.Check(raw)
	}
	var input json.RawMessage
	if err == nil {
		input, err = payload.Encode(context)
	}
	if err == nil {
		err = payload.CheckAmbiguous(input)
	}
	switch {
	case err != nil && isJSON && !json.Valid(raw):
		return nil, &Rejected{Code: CodeInvalidInput, Message: err.Error()} // a pointer into it would lead nowhere
	case err != nil:
		return nil, invalidInput(err)
	case !bytes.HasPrefix(bytes.TrimSpace(input), []byte("{")):
		return nil, &Rejected{Code: CodeInvalidInput, Message: "the context must be a JSON object"}
	}
	return input, nil
}

// invalidInput rejects what no store keeps, with its place where it has one.
func invalidInput(err error) *Rejected {
	var found *payload.Error
	if errors.As(err, &found) {
		return &Rejected{Code: CodeInvalidInput, Errors: []template.Violation{{Path: found.Path, Message: found.Fault}}}
	}
	return &Rejected{Code: CodeInvalidInput, Message: err.Error()}
}

// hashOf is the SHA-256 of a document with its keys in order, so that equal
// input has equal hashes whatever the order it was written in.
func hashOf(input json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(input))
	d.UseNumber()
	_ = d.Decode(&v) // it was encoded above
	canonical, _ := json.Marshal(v)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// identify sets what makes two requests the same task.
func (r *Row) identify(identity template.Identity, key string) error {
	switch {
	case key != "":
		r.Identity = "key:" + key
	case identity == template.Strict:
		r.Identity, r.RetryEnded = "input:"+r.InputHash, true
	case identity == template.CallerProvided:
		return &Rejected{Code: CodeKeyRequired, Message: fmt.Sprintf("%s/%s wants an idempotency key with every task: give Request.IdempotencyKey", r.Namespace, r.Name)}
	}
	return nil
}

// enrich runs the task handler and adds what it returns to the context.
func (e *Engine) enrich(ctx context.Context, p *plan, row *Row, input json.RawMessage) (json.RawMessage, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(input, &parts); err != nil {
		return nil, &Rejected{Code: CodeInvalidInput, Message: err.Error()}
	}
	a := &Attempt{
		TaskID: row.ID, RootID: row.Root, ParentID: row.Parent, Namespace: row.Namespace, Name: row.Name, Version: row.Version,
		Number: 1, Max: 1, CorrelationID: row.CorrelationID, Tag: row.Tag,
		initialization: p.template.TaskHandler.Initialization,
		whole:          input, parts: func() map[string]json.RawMessage { return parts },
	}
	if by := Current(ctx); by != nil {
		a.Caller = by.Namespace
	}
	added, failure := protect(func() (any, error) { return call(WithAttempt(ctx, a), p.submit, nil, nil) })
	var verdict *Error
	switch {
	case failure == nil:
	case errors.As(failure, &verdict) && verdict.Kind == KindPermanent && verdict.Code != CodePanic:
		return nil, &Rejected{Code: verdict.Code, Message: verdict.Message}
	default:
		return nil, fmt.Errorf("%s: the task handler of %s: %w", CodeTaskHandler, p.template, failure)
	}
	raw, err := payload.Encode(added)
	if err != nil {
		return nil, fmt.Errorf("%s: what the task handler of %s adds: %w", CodeTaskHandler, p.template, err)
	}
	var extra map[string]json.RawMessage
	if err := json.Unmarshal(raw, &extra); err != nil {
		return nil, fmt.Errorf("%s: what the task handler of %s adds is not an object: %w", CodeTaskHandler, p.template, err)
	}
	if len(extra) == 0 {
		return input, nil
	}
	maps.Copy(parts, extra)
	if raw, err = payload.Encode(parts); err != nil {
		return nil, invalidInput(fmt.Errorf("with what the task handler adds, %w", err))
	}
	return raw, nil
}
