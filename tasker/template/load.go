package template

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Load reads all templates that match the globs, *.yaml and *.yml
// when none is given. The error is [Problems]: everything wrong in all files.
func Load(fsys fs.FS, globs ...string) ([]*Template, error) {
	if len(globs) == 0 {
		globs = []string{"*.y*ml"}
	}
	var templates []*Template
	var problems Problems
	for _, glob := range globs {
		files, err := fs.Glob(fsys, glob)
		if err != nil || len(files) == 0 {
			problems = append(problems, Problem{File: glob, Message: "no file matches"})
		}
		for _, file := range files {
			source, err := fs.ReadFile(fsys, file)
			if err != nil {
				problems = append(problems, Problem{File: file, Message: err.Error()})
				continue
			}
			t, err := Parse(file, source)
			var found Problems
			if errors.As(err, &found) {
				problems = append(problems, found...)
				continue
			}
			for _, other := range templates {
				if other.String() == t.String() {
					problems = append(problems, Problem{File: file, Message: fmt.Sprintf("%s is in %s already; give one of them another version", t, other.file)})
				}
			}
			templates = append(templates, t)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return templates, nil
}

// Parse reads a template from YAML. file is only named in problems.
// The error is [Problems]: everything wrong with the source, sorted by line.
func Parse(file string, source []byte) (*Template, error) {
	r := &reader{file: file}
	t := &Template{file: file, source: slices.Clone(source), Identity: AlwaysUnique, OnFailure: Block}
	sum := sha256.Sum256(source)
	t.hash = hex.EncodeToString(sum[:])
	root, err := parseYAML(source)
	var broken atLine
	switch {
	case errors.As(err, &broken):
		return nil, Problems{{File: file, Line: broken.line, Message: broken.text}}
	case err != nil:
		return nil, Problems{{File: file, Message: err.Error()}}
	}
	r.template(t, root)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, r.problems
	}
	return t, nil
}

var (
	wordPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	versionPattern = regexp.MustCompile(`^\d{1,9}\.\d{1,9}\.\d{1,9}([-+][0-9A-Za-z.+-]+)?$`)
	eventPattern   = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)+$`)
)

func (r *reader) template(t *Template, root value) {
	environments := value{kind: yaml.MappingNode}
	r.object(root, "", []key{
		{name: "name", required: true, read: r.word(&t.Name, 255)},
		{name: "namespace_name", required: true, read: r.word(&t.Namespace, 29)},
		{name: "version", required: true, read: r.version(&t.Version)},
		{name: "description", read: r.text(&t.Description)},
		{name: "metadata", read: r.free(&t.Metadata)},
		{name: "task_handler", read: func(v value, path string) {
			t.TaskHandler = &HandlerRef{}
			r.object(v, path, []key{
				{name: "callable", required: true, read: r.text(&t.TaskHandler.Callable)},
				{name: "initialization", read: r.free(&t.TaskHandler.Initialization)},
			})
		}},
		{name: "input_schema", read: r.schema(&t.InputSchema)},
		{name: "identity_strategy", read: choice(r, &t.Identity, AlwaysUnique, Strict, CallerProvided)},
		{name: "on_failure", read: choice(r, &t.OnFailure, Block, Fail, Compensate)},
		{name: "priority", read: r.integer(&t.Priority, -1000, 1000)},
		{name: "limits", read: func(v value, path string) {
			r.object(v, path, []key{{name: "concurrency", read: r.integer(&t.Concurrency, 1, 10_000)}})
		}},
		{name: "lifecycle", read: func(v value, path string) {
			r.object(v, path, []key{{name: "max_duration_minutes", read: r.duration(&t.MaxDuration, time.Minute, 525_600, false)}})
		}},
		{name: "system_dependencies", read: r.free(&t.SystemDependencies)},
		{name: "domain_events", read: r.list(func(v value, path string) { t.DomainEvents = append(t.DomainEvents, v.plain(false)) })},
		{name: "steps", required: true, read: r.list(func(v value, path string) {
			switch len(t.Steps) {
			case MaxSteps:
				if len(r.steps) == MaxSteps {
					r.steps = append(r.steps, stepLines{})
					r.say(v.line, path, "a template has at most %d steps", MaxSteps)
				}
			default:
				r.steps = append(r.steps, stepLines{line: v.line})
				t.Steps = append(t.Steps, r.step(v, path))
			}
		})},
		{name: "environments", read: func(v value, path string) { environments = v }},
	})
	if len(t.Steps) == 0 && !r.said("steps") {
		r.say(root.line, "steps", "there must be at least one step")
	}
	r.checkSteps(t.Steps)
	t.graph = newGraph(t.Steps)
	r.environments(t, environments)
}

func (r *reader) step(v value, path string) Step {
	s := Step{Retry: DefaultRetry}
	kind := "standard"
	r.object(v, path, []key{
		{name: "name", required: true, read: r.word(&s.Name, 255)},
		{name: "description", read: r.text(&s.Description)},
		{name: "type", aliases: []string{"step_type"}, read: func(v value, path string) {
			if r.text(&kind)(v, path); strings.TrimPrefix(kind, ":") != "standard" {
				r.say(v.line, path, "steps of type %q are not supported; there is standard", kind)
			}
		}},
		{name: "system_dependency", read: r.text(&s.SystemDependency)},
		{name: "handler", required: true, read: r.handler(&s.Handler)},
		{name: "dependencies", aliases: []string{"depends_on"}, read: r.list(func(v value, path string) {
			var name string
			r.text(&name)(v, path)
			s.Dependencies = append(s.Dependencies, name)
			lines := &r.steps[len(r.steps)-1]
			lines.dependencies = append(lines.dependencies, v.line)
		})},
		{name: "retry", read: r.retry(&s.Retry)},
		{name: "timeout_seconds", read: r.duration(&s.Timeout, time.Second, 604_800, false)},
		{name: "optional", read: r.boolean(&s.Optional)},
		{name: "compensate", read: func(v value, path string) {
			s.Compensate = &Compensation{Retry: DefaultRetry}
			r.object(v, path, append(r.handlerKeys(&s.Compensate.Handler), key{name: "retry", read: r.retry(&s.Compensate.Retry)}))
		}},
		{name: "publishes_events", read: r.list(func(v value, path string) { s.Events = append(s.Events, r.event(v, path, s.Events)) })},
	})
	return s
}

func (r *reader) handler(h *HandlerRef) func(value, string) {
	return func(v value, path string) { r.object(v, path, r.handlerKeys(h)) }
}

func (r *reader) handlerKeys(h *HandlerRef) []key {
	return []key{
		{name: "callable", required: true, read: r.text(&h.Callable)},
		{name: "method", read: r.text(&h.Method)},
		{name: "initialization", read: r.free(&h.Initialization)},
	}
}

// retry reads a rule over the one that target has: what is not named stays.
func (r *reader) retry(target *Retry) func(value, string) {
	const hour = 3_600_000 // ms
	return func(v value, path string) {
		before := len(r.problems)
		named := map[string]bool{}
		note := func(name string, read func(value, string)) func(value, string) {
			return func(v value, path string) { named[name] = true; read(v, path) }
		}
		r.object(v, path, []key{
			{name: "retryable", read: r.boolean(&target.Retryable)},
			{name: "limit", aliases: []string{"max_attempts", "retry_limit"}, read: r.integer(&target.Limit, 1, 100)},
			{name: "backoff", read: choice(r, &target.Backoff, NoBackoff, Linear, Exponential, Fibonacci)},
			{name: "backoff_base_ms", read: note("base", r.duration(&target.Base, time.Millisecond, hour, true))},
			{name: "initial_delay", read: note("base", r.duration(&target.Base, time.Second, hour/1000, true))},
			{name: "max_backoff_ms", read: note("max", r.duration(&target.Max, time.Millisecond, hour, true))},
			{name: "max_delay", read: note("max", r.duration(&target.Max, time.Second, hour/1000, true))},
			{name: "jitter", read: r.number(&target.Jitter, 0, 1)},
		})
		r.both(v, path, "backoff_base_ms", "initial_delay")
		r.both(v, path, "max_backoff_ms", "max_delay")
		switch {
		case len(r.problems) > before || target.Base <= target.Max:
		case named["max"]:
			r.say(v.line, path, "the longest wait, %v, is shorter than the first, %v", target.Max, target.Base)
		default:
			target.Max = target.Base // the default's cap is not meant to cut a longer wait
		}
	}
}

func (r *reader) both(v value, path, a, b string) {
	if v.has(a) && v.has(b) || v.has(":"+a) && v.has(":"+b) {
		r.say(v.line, path, "%s and %s say the same thing; keep one", a, b)
	}
}

func (r *reader) event(v value, path string, others []Event) Event {
	e := Event{Condition: "success", DeliveryMode: "durable"}
	r.object(v, path, []key{
		{name: "name", required: true, read: func(v value, path string) {
			r.text(&e.Name)(v, path)
			switch {
			case !eventPattern.MatchString(e.Name):
				r.say(v.line, path, "an event's name is of lower-case words with dots between them, such as order.created, not %q", e.Name)
			case slices.ContainsFunc(others, func(o Event) bool { return o.Name == e.Name }):
				r.say(v.line, path, "the step publishes %s twice", e.Name)
			}
		}},
		{name: "description", read: r.text(&e.Description)},
		{name: "schema", read: r.schema(&e.Schema)},
		{name: "condition", read: choice(r, &e.Condition, "success", "failure", "retryable_failure", "permanent_failure", "always")},
		{name: "delivery_mode", read: choice(r, &e.DeliveryMode, "fast", "durable", "broadcast")},
	})
	return e
}

// checkSteps looks at how the steps hang together.
func (r *reader) checkSteps(steps []Step) {
	names := map[string]bool{}
	for i := range steps {
		if name := steps[i].Name; names[name] {
			r.say(r.steps[i].line, fmt.Sprintf("steps[%d].name", i), "there is another step %q", name)
		} else if name != "" {
			names[name] = true
		}
	}
	r.names = slices.Collect(maps.Keys(names))
	for i := range steps {
		for n, name := range steps[i].Dependencies {
			line, path := r.steps[i].dependencies[n], fmt.Sprintf("steps[%d].dependencies[%d]", i, n)
			switch {
			case name == "": // not a text, which is said already
			case name == steps[i].Name:
				r.say(line, path, "%s depends on itself", name)
			case !names[name]:
				r.say(line, path, "there is no step %q%s", name, r.suggest(name, r.names))
			case slices.Contains(steps[i].Dependencies[:n], name):
				r.say(line, path, "%s is named twice", name)
			}
		}
	}
	if cycle := findCycle(newGraph(steps)); len(cycle) > 2 {
		path := make([]string, len(cycle))
		for n, i := range cycle {
			path[n] = steps[i].Name
		}
		r.say(r.steps[cycle[0]].line, fmt.Sprintf("steps[%d].dependencies", cycle[0]), "the steps wait for each other: %s", strings.Join(path, " -> "))
	}
}

// findCycle gives the steps of a cycle, the first one again at its end, or
// nil. It takes away what depends on nothing until only cycles, and what
// hangs on them, are left; from there it walks up until it meets itself.
func findCycle(g Graph) []int {
	unmet := make([]int, len(g.Parents))
	var free []int
	for i := range g.Parents {
		if unmet[i] = len(g.Parents[i]); unmet[i] == 0 {
			free = append(free, i)
		}
	}
	for len(free) > 0 {
		i := free[len(free)-1]
		free = free[:len(free)-1]
		for _, c := range g.Children[i] {
			if unmet[c]--; unmet[c] == 0 {
				free = append(free, c)
			}
		}
	}
	at := slices.IndexFunc(unmet, func(n int) bool { return n > 0 })
	if at < 0 {
		return nil
	}
	var path []int
	for !slices.Contains(path, at) {
		path = append(path, at)
		at = g.Parents[at][slices.IndexFunc(g.Parents[at], func(p int) bool { return unmet[p] > 0 })]
	}
	return append(path[slices.Index(path, at):], at)
}
