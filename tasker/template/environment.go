package template

import (
	"maps"
	"slices"
	"time"
)

// environment is what a template says differently for one environment.
type environment struct {
	maxRetryWait time.Duration
	overrides    []override
}

// override changes one step, or all of them.
type override struct {
	step  string // "" is all
	apply func(*Step)
}

const allSteps = "ALL"

// maxChanged bounds how many steps the environments change, ALL of them counted
// each time.
const maxChanged = 5 * MaxSteps

func (r *reader) environments(t *Template, v value) {
	t.environments = map[string]environment{}
	if !r.mapping(v, "environments") {
		return
	}
	for _, e := range v.entries {
		name := trimColon(e.key)
		path := join("environments", name)
		if _, twice := t.environments[name]; twice {
			r.say(e.line, path, "is given twice")
			continue
		}
		var env environment
		r.object(e.value, path, []key{
			{name: "max_retry_after_ms", read: r.duration(&env.maxRetryWait, time.Millisecond, 3_600_000, false)},
			{name: "steps", read: r.list(func(v value, path string) {
				if o, ok := r.override(t, v, path); ok {
					env.overrides = append(env.overrides, o)
				}
			})},
		})
		t.environments[name] = env
	}
}

func trimColon(s string) string {
	if len(s) > 1 && s[0] == ':' {
		return s[1:]
	}
	return s
}

// override reads what an environment says of a step. It is read once to find
// what is wrong with it, against each step that it changes, and again by each
// use.
func (r *reader) override(t *Template, v value, path string) (override, bool) {
	before := len(r.problems)
	var o override
	read := func(r *reader, s *Step) {
		var initialization map[string]any
		r.object(v, path, []key{
			{name: "name", required: true, read: r.text(&o.step)},
			{name: "handler", read: func(v value, path string) {
				r.object(v, path, []key{{name: "initialization", read: r.free(&initialization)}})
			}},
			{name: "retry", read: r.retry(&s.Retry)},
			{name: "timeout_seconds", read: r.duration(&s.Timeout, time.Second, 604_800, false)},
		})
		s.Handler.Initialization = merge(s.Handler.Initialization, initialization)
	}
	scratch := Step{Retry: DefaultRetry}
	scratch.Retry.Base = 0
	read(r, &scratch)
	if len(r.problems) > before {
		return o, false
	}
	steps := t.named(o.step)
	if len(steps) == 0 {
		r.say(v.line, path+".name", "there is no step %q%s", o.step, r.suggest(o.step, r.names))
		return o, false
	}
	if r.changed += len(steps); r.changed > maxChanged {
		if r.changed-len(steps) <= maxChanged {
			r.say(v.line, path, "with this the environments change steps more than %d times", maxChanged)
		}
		return o, false
	}
	for i := range steps {
		s := steps[i]
		if read(r, &s); len(r.problems) > before {
			return o, false
		}
	}
	step := o.step
	return override{step: step, apply: func(s *Step) { read(&reader{}, s) }}, true
}

// named gives the steps that an override is of; none when there is no such step.
func (t *Template) named(name string) []Step {
	if name == allSteps {
		return t.Steps
	}
	i, ok := t.graph.Index[name]
	if !ok {
		return nil
	}
	return t.Steps[i : i+1]
}

// merge lays one mapping over another, key by key, at any depth.
func merge(base, over map[string]any) map[string]any {
	if len(over) == 0 {
		return base
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range over {
		below, isMap := merged[key].(map[string]any)
		above, wantsMap := value.(map[string]any)
		if isMap && wantsMap {
			value = merge(below, above)
		}
		merged[key] = value
	}
	return merged
}

// Environments names the environments that the template has overrides for,
// sorted.
func (t *Template) Environments() []string { return slices.Sorted(maps.Keys(t.environments)) }

// In is the template with the overrides of an environment, in the order in
// which they are written. An environment that it does not have overrides
// nothing.
func (t *Template) In(name string) *Template {
	resolved := *t
	resolved.Environment = name
	resolved.Steps = slices.Clone(t.Steps)
	env := t.environments[name]
	resolved.MaxRetryWait = env.maxRetryWait
	for _, o := range env.overrides {
		steps := resolved.named(o.step)
		for i := range steps {
			o.apply(&steps[i])
		}
	}
	return &resolved
}
