package tasker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/payload"
	"github.com/tasker-systems/tasker-go/tasker/shape"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// plan is a template with its handlers: everything that a worker needs to run
// its tasks.
type plan struct {
	template *template.Template
	submit   *binding // nil when the template has no task handler
	steps    []*binding
	undo     []*binding // by step; nil for those that leave nothing to undo

	publishes bool // a step declares domain events
}

// binding is a handler that knows where its input comes from.
type binding struct {
	handler Handler
	fields  []boundField
}

// boundField is one field of a handler's input struct.
type boundField struct {
	index  []int // for reflect.Value.FieldByIndex
	source source
	key    string          // of the context
	step   int             // whose result it is
	value  json.RawMessage // from the initialization
}

type source int

const (
	fromContext source = iota
	fromResult
	fromInitialization
)

// everything is the key that stands for the whole of a context or an
// initialization.
const everything = "."

// binder finds what templates and handlers expect of each other, and lists
// everything that does not fit.
type binder struct {
	handlers Handlers
	template *template.Template
	problems template.Problems
}

func newPlan(t *template.Template, handlers Handlers) (*plan, template.Problems) {
	b := &binder{handlers: handlers, template: t}
	p := &plan{template: t, steps: make([]*binding, len(t.Steps)), undo: make([]*binding, len(t.Steps))}
	if t.TaskHandler != nil {
		p.submit = b.bind("task_handler", *t.TaskHandler, taskHandler, -1)
	}
	for i := range t.Steps {
		step := &t.Steps[i]
		p.steps[i] = b.bind("step "+step.Name, step.Handler, stepHandler, i)
		if step.Compensate != nil {
			p.undo[i] = b.bind("step "+step.Name+", compensate", undoRef(step), undoHandler, i)
		}
		if len(step.Events) > 0 {
			p.publishes = true
		}
	}
	if t.OnFailure == template.Compensate && !slices.ContainsFunc(t.Steps, func(s template.Step) bool { return s.Compensate != nil }) {
		b.say("on_failure", "compensate undoes nothing, since no step says how to compensate it")
	}
	return p, b.problems
}

// undoRef is the handler that undoes a step. It is given the step's
// initialization as well.
func undoRef(s *template.Step) template.HandlerRef {
	ref := s.Compensate.Handler
	all := map[string]any{}
	maps.Copy(all, s.Handler.Initialization)
	maps.Copy(all, ref.Initialization)
	if len(all) > 0 {
		ref.Initialization = all
	}
	return ref
}

func (b *binder) say(where, format string, args ...any) {
	b.problems = append(b.problems, template.Problem{File: b.template.File(), Key: b.template.String() + ", " + where, Message: fmt.Sprintf(format, args...)})
}

// bind finds the handler behind a reference and a source for each field of
// its input. step is -1 for what belongs to no step.
func (b *binder) bind(where string, ref template.HandlerRef, want handlerKind, step int) *binding {
	h, ok := b.handlers.method(ref)
	name := ref.Callable
	if ref.Method != "" {
		name += "." + ref.Method
	}
	switch {
	case !ok && b.handlers[ref.Callable].kind != "":
		b.say(where, "the handler %s has no method %q", ref.Callable, ref.Method)
		return nil
	case !ok:
		b.say(where, "no handler is registered for %q%s", name, template.Suggest(ref.Callable, slices.Collect(maps.Keys(b.handlers))))
		return nil
	case h.kind != want:
		b.say(where, "%s is a %s, and a %s is needed", name, h.kind, want)
		return nil
	case h.in.Kind() != reflect.Struct:
		b.say(where, "%s takes a %s; it must take a struct whose tags name its inputs", name, h.in)
		return nil
	}
	bound := &binding{handler: h}
	if want == undoHandler {
		b.checkUndone(where, name, h, step)
	}
	for _, f := range reflect.VisibleFields(h.in) {
		if f.Anonymous && f.Type.Kind() == reflect.Struct && !tagged(f) {
			continue // its fields follow by themselves
		}
		if field, ok := b.field(where, name, ref, f, step); ok {
			bound.fields = append(bound.fields, field)
		}
	}
	return bound
}

// checkUndone holds what undoes a step to the step's result.
func (b *binder) checkUndone(where, name string, h Handler, step int) {
	producer, ok := b.handlers.method(b.template.Steps[step].Handler)
	if !ok || producer.kind != stepHandler {
		return
	}
	if misfit := shape.Misfit(producer.out, h.done); misfit != "" {
		b.say(where, "what %s takes does not fit the result of %s: %s", name, b.template.Steps[step].Name, misfit)
	}
}

func tagged(f reflect.StructField) bool {
	_, ok := sourceOf(f)
	return ok
}

// sourceOf reads a field's tag.
func sourceOf(f reflect.StructField) (tags map[string]string, ok bool) {
	tags = map[string]string{}
	for _, name := range []string{"context", "result", "initialization"} {
		if value, found := f.Tag.Lookup(name); found {
			tags[name] = value
		}
	}
	return tags, len(tags) > 0
}

func (b *binder) field(where, handler string, ref template.HandlerRef, f reflect.StructField, step int) (boundField, bool) {
	what := fmt.Sprintf("%s, field %s", handler, f.Name)
	bound := boundField{index: f.Index}
	before := len(b.problems)
	tags, ok := sourceOf(f)
	switch {
	case !f.IsExported():
		b.say(where, "%s is not exported, so it cannot be filled", what)
	case !ok:
		b.say(where, `%s has no tag; say context:"…", result:"…" or initialization:"…"`, what)
	case len(tags) > 1:
		b.say(where, "%s has more than one source", what)
	}
	if len(b.problems) > before {
		return bound, false
	}
	for name, key := range tags {
		switch name {
		case "context":
			bound.source, bound.key = fromContext, key
			b.checkContext(where, what, key, f.Type, step)
		case "result":
			bound.source, bound.step = fromResult, b.checkResult(where, what, key, f.Type, step)
		case "initialization":
			bound.source, bound.value = fromInitialization, b.checkInitialization(where, what, key, ref, f.Type)
		}
	}
	return bound, len(b.problems) == before
}

// checkContext holds a field to the input schema and to what the task handler
// adds.
func (b *binder) checkContext(where, what, key string, t reflect.Type, step int) {
	schema := b.template.InputSchema
	if schema == nil || key == everything {
		return
	}
	if step >= 0 {
		if added, ok := b.addedAtSubmit()[key]; ok {
			if misfit := shape.Misfit(added, t); misfit != "" {
				b.say(where, "%s does not fit what the task handler adds to the context as %q: %s", what, key, misfit)
			}
			return
		}
	}
	declared, ok := schema.Property(key)
	if !ok {
		b.say(where, "%s: the input_schema declares no %q%s", what, key, template.Suggest(key, schema.Names()))
		return
	}
	if misfit := shape.SchemaMisfit(declared, t); misfit != "" {
		b.say(where, "%s does not fit the input_schema: %s", what, misfit)
	}
}

// addedAtSubmit gives the types of what the task handler adds to the context.
func (b *binder) addedAtSubmit() map[string]reflect.Type {
	if b.template.TaskHandler == nil {
		return nil
	}
	h, ok := b.handlers.method(*b.template.TaskHandler)
	if !ok || h.out == nil || h.out.Kind() != reflect.Struct {
		return nil
	}
	return shape.Fields(h.out)
}

func (b *binder) checkResult(where, what, name string, t reflect.Type, step int) int {
	if step < 0 {
		b.say(where, "%s asks for a result, and a task handler runs before every step", what)
		return -1
	}
	from, ok := b.template.Graph().Index[name]
	switch {
	case !ok:
		b.say(where, "%s: there is no step %q%s", what, name, template.Suggest(name, slices.Collect(maps.Keys(b.template.Graph().Index))))
		return -1
	case !b.template.Graph().IsAncestor(from, step):
		b.say(where, "%s: %s does not depend on %s, so its result may not be there; add it to dependencies", what, b.template.Steps[step].Name, name)
		return -1
	case b.template.Steps[from].Optional && !canBeAbsent(t):
		b.say(where, "%s: %s is optional and may have no result; make the field a pointer", what, name)
	}
	if producer, ok := b.handlers.method(b.template.Steps[from].Handler); ok && producer.kind == stepHandler {
		if misfit := shape.Misfit(producer.out, t); misfit != "" {
			b.say(where, "%s does not fit the result of %s: %s", what, name, misfit)
		}
	}
	return from
}

func canBeAbsent(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	default:
		return false
	}
}

func (b *binder) checkInitialization(where, what, key string, ref template.HandlerRef, t reflect.Type) json.RawMessage {
	var value any = ref.Initialization
	if key != everything {
		var ok bool
		if value, ok = ref.Initialization[key]; !ok {
			b.say(where, "%s: the handler's initialization has no %q%s", what, key, template.Suggest(key, slices.Collect(maps.Keys(ref.Initialization))))
			return nil
		}
	}
	raw, err := payload.Encode(value)
	if err == nil {
		err = json.Unmarshal(raw, reflect.New(t).Interface())
	}
	if err != nil {
		b.say(where, "%s cannot be read from the initialization: %s", what, strings.TrimPrefix(err.Error(), "json: "))
	}
	return raw
}

// input builds a handler's input for an attempt, from the task's context and
// the results of its steps.
func (b *binding) input(a *Attempt, steps []TaskStep) (any, error) {
	in := b.handler.newIn()
	if len(b.fields) == 0 {
		return in, nil
	}
	v := reflect.ValueOf(in).Elem()
	for i := range b.fields {
		f := &b.fields[i]
		var raw json.RawMessage
		switch {
		case f.source == fromResult:
			raw = steps[f.step].Result
		case f.source == fromInitialization:
			raw = f.value
		case f.key == everything:
			raw = a.whole
		default:
			raw = a.parts()[f.key]
		}
		if raw == nil && f.source == fromResult && !canBeAbsent(b.handler.in.FieldByIndex(f.index).Type) {
			from := &steps[f.step]
			return nil, Permanent(CodeInput, "field %s of %s needs the result of %s, which is %s and has none; give it one by completing the step by hand", b.handler.in.FieldByIndex(f.index).Name, b.handler.in, from.Name, from.State)
		}
		if raw == nil {
			continue
		}
		target, err := v.FieldByIndexErr(f.index)
		if err == nil {
			err = fill(target.Addr().Interface(), raw)
		}
		if err != nil {
			return nil, Permanent(CodeInput, "field %s of %s: %s", b.handler.in.FieldByIndex(f.index).Name, b.handler.in, strings.TrimPrefix(err.Error(), "json: "))
		}
	}
	return in, nil
}

// fill decodes a part of a handler's input. To JSON Schema 2.0 and 1e3 are
// integers (draft 2020-12 validation, section 6.1.1), to encoding/json they are
// none: what it refuses is tried once more with such numbers in plain digits.
func fill(target any, raw json.RawMessage) error {
	err := json.Unmarshal(raw, target)
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) && json.Unmarshal(payload.PlainIntegers(raw), target) == nil {
		return nil
	}
	return err
}
