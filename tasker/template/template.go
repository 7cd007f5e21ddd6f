// Package template reads workflow templates from YAML, strictly: a key that it
// does not know is an error, and all errors of a file come at once.
package template

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of a template.
const (
	MaxSize  = 1 << 20 // bytes of its source
	MaxSteps = 10_000
)

// Template is one kind of task: its steps, how they depend on each other, and
// the rules for when they fail. It is read from YAML by [Parse] or
// [Load] and not changed afterwards.
type Template struct {
	Namespace   string // the team that owns it; at most 29 of A-Z a-z 0-9 _
	Name        string
	Version     string // major.minor.patch
	Description string
	Metadata    map[string]any // free: shown, never acted on

	TaskHandler *HandlerRef // runs at submit; nil when there is none
	InputSchema *Schema     // holds a task's context to its form; nil when there is none
	Identity    Identity
	OnFailure   OnFailure
	Priority    int           // higher goes first within the namespace
	Concurrency int           // steps of this template that one process runs at once; 0 is no limit
	MaxDuration time.Duration // from submit; 0 is no limit

	SystemDependencies map[string]any // a label
	DomainEvents       []any          // a label

	Steps []Step

	Environment  string        // the environment that In applied; "" for none
	MaxRetryWait time.Duration // caps every wait between attempts; 0 leaves the rule's own cap

	environments map[string]environment
	file         string
	source       []byte
	hash         string
	graph        Graph
}

// Step is one step of a [Template].
type Step struct {
	Name             string
	Description      string
	SystemDependency string // a label
	Handler          HandlerRef
	Dependencies     []string // the steps that must be done first
	Retry            Retry
	Timeout          time.Duration // of one run; 0 is no limit
	Optional         bool          // the task completes, with a warning, when this step fails
	Compensate       *Compensation // how to undo it; nil when it leaves nothing to undo
	Events           []Event
}

// HandlerRef names the handler of a step, and what it is given besides the
// task's own data.
type HandlerRef struct {
	Callable       string
	Method         string // "" is the handler itself
	Initialization map[string]any
}

// Compensation names the handler that undoes a step.
type Compensation struct {
	Handler HandlerRef
	Retry   Retry
}

// Event declares a domain event that a step publishes.
type Event struct {
	Name, Description string
	Condition         string // success, failure, retryable_failure, permanent_failure, always
	DeliveryMode      string // fast, durable, broadcast
	Schema            *Schema
}

// Retry says whether and when a failed step runs again.
type Retry struct {
	Retryable bool
	Limit     int // attempts in all, the first included
	Backoff   Backoff
	Base, Max time.Duration
	Jitter    float64 // share of the wait that is drawn by chance, up and down: 0.1 is ±10 %
}

// DefaultRetry is the retry rule of a step that states none.
var DefaultRetry = Retry{Retryable: true, Limit: 3, Backoff: Exponential, Base: time.Second, Max: 30 * time.Second, Jitter: 0.1}

// Attempts is how many attempts the rule allows: one when it does not retry.
func (r Retry) Attempts() int {
	if !r.Retryable {
		return 1
	}
	return r.Limit
}

// Backoff is the shape in which the waits between attempts grow.
type Backoff string

// The four shapes. After failure n the wait is 0, base·n, base·2ⁿ⁻¹ or
// base·Fib(n).
const (
	NoBackoff   Backoff = "none"
	Linear      Backoff = "linear"
	Exponential Backoff = "exponential"
	Fibonacci   Backoff = "fibonacci"
)

// OnFailure says what becomes of a task when one of its steps has failed for
// good.
type OnFailure string

// Block waits for an operator, Fail ends the task in error, Compensate undoes
// what was done and then ends it in error.
const (
	Block      OnFailure = "block"
	Fail       OnFailure = "fail"
	Compensate OnFailure = "compensate"
)

// Identity says when two submits are the same task.
type Identity string

// AlwaysUnique never finds an equal task unless the request has a key, Strict
// takes tasks with equal input for one, CallerProvided demands a key.
const (
	AlwaysUnique   Identity = "always_unique"
	Strict         Identity = "strict"
	CallerProvided Identity = "caller_provided"
)

// String is the template's full name: namespace/name@version.
func (t *Template) String() string { return fmt.Sprintf("%s/%s@%s", t.Namespace, t.Name, t.Version) }

// Hash is the SHA-256 of the template's source, in hexadecimal.
func (t *Template) Hash() string { return t.hash }

// Source is the text that the template was read from.
func (t *Template) Source() []byte { return slices.Clone(t.source) }

// NewerThan compares versions as Semantic Versioning 2.0.0 does (item 11):
// 1.10.0 is newer than 1.9.0, and 1.0.0 is newer than its pre-release 1.0.0-rc.1.
func (t *Template) NewerThan(other *Template) bool {
	numbers, pre := splitVersion(t.Version)
	otherNumbers, otherPre := splitVersion(other.Version)
	order := slices.CompareFunc(numbers, otherNumbers, compareIdentifiers)
	switch {
	case order == 0 && (pre == nil) != (otherPre == nil):
		return pre == nil
	case order == 0:
		order = slices.CompareFunc(pre, otherPre, compareIdentifiers)
	}
	return cmp.Or(order, strings.Compare(t.Version, other.Version)) > 0
}

// splitVersion gives the numbers of a version, and the identifiers of its
// pre-release, if it is one. What a build adds behind a + counts for nothing.
func splitVersion(version string) (numbers, pre []string) {
	version, _, _ = strings.Cut(version, "+")
	core, rest, isPre := strings.Cut(version, "-")
	if isPre {
		pre = strings.Split(rest, ".")
	}
	return strings.Split(core, "."), pre
}

// compareIdentifiers compares numbers as such; words come after them.
func compareIdentifiers(a, b string) int {
	x, noNumber := strconv.ParseUint(a, 10, 64)
	y, norThat := strconv.ParseUint(b, 10, 64)
	switch {
	case noNumber == nil && norThat == nil:
		return cmp.Compare(x, y)
	case noNumber == nil:
		return -1
	case norThat == nil:
		return 1
	default:
		return strings.Compare(a, b)
	}
}

// Step finds a step by its name, or gives nil.
func (t *Template) Step(name string) *Step {
	i, ok := t.graph.Index[name]
	if !ok {
		return nil
	}
	return &t.Steps[i]
}

// File is where the template was read from, as it was given to the loader.
func (t *Template) File() string { return t.file }

// Graph gives the template's DAG. It must not be changed.
func (t *Template) Graph() *Graph { return &t.graph }

// Graph is a DAG of steps by their index in the template.
type Graph struct {
	Index    map[string]int // by name
	Parents  [][]int
	Children [][]int
}

func newGraph(steps []Step) Graph {
	g := Graph{Index: make(map[string]int, len(steps)), Parents: make([][]int, len(steps)), Children: make([][]int, len(steps))}
	for i := range steps {
		g.Index[steps[i].Name] = i
	}
	for i := range steps {
		for _, name := range steps[i].Dependencies {
			p, known := g.Index[name]
			if !known {
				continue // the loader has said so
			}
			g.Parents[i] = append(g.Parents[i], p)
			g.Children[p] = append(g.Children[p], i)
		}
	}
	return g
}

// IsAncestor says whether step i can only run after step a.
func (g *Graph) IsAncestor(a, i int) bool {
	seen := make([]bool, len(g.Parents))
	todo := slices.Clone(g.Parents[i])
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p == a {
			return true
		}
		if !seen[p] {
			seen[p] = true
			todo = append(todo, g.Parents[p]...)
		}
	}
	return false
}
