package taskertest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/history"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Everything that an operator may do is done in every state of a task and of
// a step: docs/operators.md has what comes of it, and is held to both stores.
// No worker lives while the operator acts; then one comes for which every
// step succeeds, and the page says how far it gets.

const operatorsDocument = "../../docs/operators.md"

// A situation is a task at a point of its life, and a step of it, called it.
type situation struct {
	title     string
	onFailure string
	optional  bool              // it may fail
	script    map[string]string // what handlers do that do not just succeed
	prepare   func(*operator, tasker.ID) error
	unbegun   bool // no worker has seen the task
}

func block(title string, script map[string]string) situation {
	return situation{title: title, onFailure: "block", script: script}
}

func compensate(title string, script map[string]string) situation {
	return situation{title: title, onFailure: "compensate", script: script}
}

type script = map[string]string

var situations = []situation{
	{title: "Nothing has begun", onFailure: "block", unbegun: true},
	block("Its turn has not come", script{"before": "hang"}),
	block("It runs", script{"it": "hang"}),
	block("It waits for its next attempt", script{"it": "retry"}),
	block("It waits for an answer", script{"it": "ask"}),
	block("It waits for a sub-task", script{"it": "await"}),
	block("It has failed for good", script{"it": "fail"}),
	{title: "It has failed, was optional, and a later step has failed too", onFailure: "block", optional: true, script: script{"it": "fail", "after": "fail"}},
	block("It is complete, and a later step has failed", script{"after": "fail"}),
	block("The step before it has failed", script{"before": "fail"}),
	block("It is complete, and a later step runs", script{"after": "hang"}),
	block("It waits for an answer, and another step runs", script{"it": "ask", "beside": "hang"}),
	block("It waits for its next attempt, and another step has failed", script{"it": "retry", "beside": "fail last"}),
	block("It waits for an answer, and another step has failed", script{"it": "ask", "beside": "fail last"}),
	block("It has failed, and another step runs", script{"it": "fail", "beside": "hang"}),
	{title: "It was resolved, and the step before it has failed", onFailure: "block", script: script{"before": "fail"},
		prepare: func(o *operator, id tasker.ID) error {
			_, err := o.ResolveStep(context.Background(), id, "it", theOperator)
			return err
		}},
	compensate("It is being undone", script{"after": "fail", "undo it": "hang"}),
	compensate("Its undoing waits for its next attempt", script{"after": "fail", "undo it": "retry"}),
	compensate("Its undoing has failed", script{"after": "fail", "undo it": "fail"}),
	compensate("It is undone, and the undoing of the step before it has failed", script{"after": "fail", "undo before": "fail"}),
	compensate("It never began, and the undoing of the step before it has failed", script{"gate": "fail", "undo before": "fail"}),
	block("The task is complete", nil),
	{title: "The task has ended in error", onFailure: "fail", script: script{"it": "fail"}},
	compensate("The task is undone", script{"after": "fail"}),
	{title: "The task is cancelled", onFailure: "block", script: script{"it": "ask"},
		prepare: func(o *operator, id tasker.ID) error { return o.Cancel(context.Background(), id, theOperator) }},
	{title: "The task is resolved", onFailure: "block", script: script{"it": "fail"},
		prepare: func(o *operator, id tasker.ID) error {
			_, err := o.ResolveTask(context.Background(), id, theOperator)
			return err
		}},
}

var theOperator = tasker.By{Actor: "ops", Reason: "to see"}

// An operator acts without a worker.
type operator struct{ *tasker.Engine }

var actions = []struct {
	name string
	do   func(ctx context.Context, o *operator, id tasker.ID) error
}{
	{"cancel the task", func(ctx context.Context, o *operator, id tasker.ID) error { return o.Cancel(ctx, id, theOperator) }},
	{"cancel the task and undo it", func(ctx context.Context, o *operator, id tasker.ID) error {
		return o.Cancel(ctx, id, theOperator, tasker.WithUndo)
	}},
	{"resolve the task", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.ResolveTask(ctx, id, theOperator)
		return err
	}},
	{"retry the task", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.RetryTask(ctx, id, theOperator)
		return err
	}},
	{"retry it", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.RetryStep(ctx, id, "it", theOperator)
		return err
	}},
	{"answer it", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.Answer(ctx, id, "it", "yes", theOperator)
		return err
	}},
	{"complete it", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.CompleteStep(ctx, id, "it", "by hand", theOperator)
		return err
	}},
	{"fail it", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.FailStep(ctx, id, "it", nil, theOperator)
		return err
	}},
	{"resolve it", func(ctx context.Context, o *operator, id tasker.ID) error {
		_, err := o.ResolveStep(ctx, id, "it", theOperator)
		return err
	}},
}

// template is the workflow of a situation: before and gate, then it,
// then after; and one beside them.
func (s situation) template(name string) string {
	return fmt.Sprintf(`
name: %s
namespace_name: operators
version: 1.0.0
on_failure: %s
steps:
  - {name: before, handler: {callable: before}, compensate: {callable: undo before}}
  - {name: gate, handler: {callable: gate}, dependencies: [before]}
  - {name: it, handler: {callable: it}, dependencies: [before, gate], optional: %t, compensate: {callable: undo it}}
  - {name: after, handler: {callable: after}, dependencies: [it]}
  - {name: beside, handler: {callable: beside}}
`, name, s.onFailure, s.optional)
}

const awaitedTemplate = `
name: awaited
namespace_name: operators
version: 1.0.0
steps: [{name: ask, handler: {callable: ask}}]
`

// hospital is where every situation has a task for every action.
type hospital struct {
	t         *testing.T
	store     tasker.Store
	templates []*template.Template
	last      chan struct{} // closed when all stands but what fails last
	healed    atomic.Bool   // every handler succeeds
}

func (h *hospital) handlers() tasker.Handlers {
	type input struct {
		Script script `context:"script"`
	}
	act := func(ctx context.Context, what string) (any, error) {
		if h.healed.Load() {
			return "fine", nil
		}
		switch what {
		case "hang":
			<-ctx.Done()
			return nil, context.Cause(ctx)
		case "retry":
			e := tasker.Retryable("LATER", "later")
			e.RetryAfter = time.Hour
			return nil, e
		case "fail last":
			<-h.last
			return nil, tasker.Permanent("NO", "no")
		case "fail":
			return nil, tasker.Permanent("NO", "no")
		case "ask":
			return tasker.Ask[string](ctx, tasker.Question{Prompt: "well?"})
		case "await":
			child, err := tasker.Submit(ctx, tasker.Request{Namespace: "operators", Name: "awaited", Context: map[string]any{"script": script{}}})
			if err != nil {
				return nil, err
			}
			return tasker.Await(ctx, child.ID, 0)
		}
		return "fine", nil
	}
	handlers := tasker.Handlers{"ask": tasker.Step(func(ctx context.Context, _ input) (any, error) { return act(ctx, "ask") })}
	for _, step := range []string{"before", "gate", "it", "after", "beside"} {
		handlers[step] = tasker.Step(func(ctx context.Context, in input) (any, error) { return act(ctx, in.Script[step]) })
		handlers["undo "+step] = tasker.Undo(func(ctx context.Context, in input, _ *any) (any, error) {
			return act(ctx, in.Script["undo "+step])
		})
	}
	return handlers
}

func (h *hospital) operator() *operator {
	engine, err := tasker.New(tasker.Config{Store: h.store, Templates: h.templates, Handlers: h.handlers()})
	if err != nil {
		h.t.Fatal(err)
	}
	return &operator{engine}
}

// A patient is the task of one situation for one action.
type patient struct {
	id                   tasker.ID
	outcome, history     string
	before, after, ended string // the states of the task and of it
}

// admit brings a task of every situation to it, and leaves no worker behind.
func (h *hospital) admit(o *operator) [][]patient {
	worker := taskertest.New(h.t, h.templates, h.handlers(), h.store, func(c *tasker.Config) {
		c.Lease, c.Poll, c.Concurrency = time.Second, 50*time.Millisecond, 1000
	})
	wards := make([][]patient, len(situations))
	submit := func(i int) {
		for range actions {
			wards[i] = append(wards[i], patient{id: worker.Submit(fmt.Sprintf("operators/s%d", i), map[string]any{"script": situations[i].script})})
		}
	}
	for i, s := range situations {
		if !s.unbegun {
			submit(i)
		}
	}
	stand := func(running ...string) func() string {
		return func() string {
			for i := range wards {
				for _, p := range wards[i] {
					if task := h.read(o, p.id); !task.State.Final() && moves(task, situations[i].script, running) {
						return fmt.Sprintf("%s: the task is %s", situations[i].title, task.State)
					}
				}
			}
			return ""
		}
	}
	h.settle("all but what fails last", stand("hang", "fail last"))
	close(h.last)
	h.settle("every situation", stand("hang"))
	worker.Crash()
	for i, s := range situations {
		if s.unbegun {
			submit(i)
		}
		for j := range wards[i] {
			if s.prepare != nil {
				if err := s.prepare(o, wards[i][j].id); err != nil {
					h.t.Fatalf("%s: %v", s.title, err)
				}
			}
			wards[i][j].before = standing(h.read(o, wards[i][j].id))
		}
	}
	return wards
}

// moves says that something happens to a task by itself: attempts run, other
// than the running ones, or may begin.
func moves(task *tasker.Task, script script, running []string) bool {
	done := map[string]bool{}
	for i := range task.Steps {
		step := &task.Steps[i]
		done[step.Name] = step.State == tasker.StepComplete
	}
	hangs, moves := false, false
	look := func(name string, state tasker.StepState, ready bool) {
		switch {
		case state == tasker.StepInProgress && slices.Contains(running, script[name]):
			hangs = true
		case state == tasker.StepInProgress, state == tasker.StepPending && ready:
			moves = true
		}
	}
	for i := range task.Steps {
		step := &task.Steps[i]
		look(step.Name, step.State, !slices.ContainsFunc(step.DependsOn, func(d string) bool { return !done[d] }))
		if c := step.Compensation; c != nil {
			look("undo "+step.Name, c.State, false)
		}
	}
	return (moves || !hangs) && (task.State == tasker.TaskPending || task.State == tasker.TaskInProgress)
}

// settle waits until nothing is missing any more.
func (h *hospital) settle(what string, missing func() string) {
	h.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		left := missing()
		if left == "" {
			return
		}
		if time.Since(began) > 30*time.Second {
			h.t.Fatalf("%s does not come about: %s", what, left)
		}
	}
}

func (h *hospital) read(o *operator, id tasker.ID) *tasker.Task {
	h.t.Helper()
	task, err := o.Task(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return task
}

// standing is how a task and it stand: "task, step" with an undoing behind a
// slash.
func standing(task *tasker.Task) string {
	for i := range task.Steps {
		if step := &task.Steps[i]; step.Name == "it" {
			if step.Compensation != nil {
				return fmt.Sprintf("%s | %s, undoing %s", task.State, step.State, step.Compensation.State)
			}
			return fmt.Sprintf("%s | %s", task.State, step.State)
		}
	}
	return "?"
}

var numberAndTime = regexp.MustCompile(`^ *(#\d+ +\S+)? +`)

// treat does to a patient what an operator does, and notes what came of it.
func (h *hospital) treat(o *operator, p *patient, do func(context.Context, *operator, tasker.ID) error) {
	h.t.Helper()
	records := func() []tasker.Record {
		records, err := o.History(h.t.Context(), p.id)
		if err != nil {
			h.t.Fatal(err)
		}
		return records
	}
	old := records()
	err := do(h.t.Context(), o, p.id)
	switch {
	case err == nil:
		p.outcome = "done"
	case errors.Is(err, tasker.ErrRefused):
		p.outcome = "refused"
	case errors.Is(err, tasker.ErrEnded):
		p.outcome = "ended"
	default:
		h.t.Fatal(err)
	}
	var lines []string
	for _, r := range records()[len(old):] {
		for line := range strings.Lines(history.Text([]tasker.Record{r})) {
			line = strings.TrimSpace(numberAndTime.ReplaceAllString(line, ""))
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	if (err == nil) == (len(lines) == 0) {
		h.t.Errorf("the answer is %v, and the history has %q", err, lines)
	}
	p.history = cmp.Or(strings.Join(lines, "; "), "nothing")
	task := h.read(o, p.id)
	p.after = standing(task)
	rows, err := o.Rows(h.t.Context(), tasker.Filter{IDs: []tasker.ID{p.id}})
	if err != nil || len(rows) != 1 {
		h.t.Fatal(rows, err)
	}
	// What a worker owns, be it dead, is in progress until another has looked.
	if row := rows[0]; row.State != task.State && (row.Owner.IsZero() || row.State != tasker.TaskInProgress) {
		h.t.Errorf("the task is %s, and its row says %s", task.State, row.State)
	}
}

func TestWhatAnOperatorMayDoInEachStateAndWhatComesOfIt(t *testing.T) {
	t.Parallel()
	update := os.Getenv("UPDATE") != ""
	page, err := os.ReadFile(operatorsDocument)
	if err != nil && !update {
		t.Fatal(err)
	}
	examine := func(t *testing.T, store tasker.Store) {
		h := &hospital{t: t, store: store, last: make(chan struct{})}
		for i, s := range situations {
			h.templates = append(h.templates, parse(t, s.template(fmt.Sprintf("s%d", i))))
		}
		h.templates = append(h.templates, parse(t, awaitedTemplate))
		o := h.operator()
		wards := h.admit(o)
		for i := range wards {
			for j := range wards[i] {
				h.treat(o, &wards[i][j], actions[j].do)
			}
		}
		h.healed.Store(true)
		worker := taskertest.New(t, h.templates, h.handlers(), h.store, func(c *tasker.Config) { c.Poll = 50 * time.Millisecond })
		h.settle("the end of all that can end", func() string {
			for i := range wards {
				for j := range wards[i] {
					p := &wards[i][j]
					rows, err := o.Rows(t.Context(), tasker.Filter{IDs: []tasker.ID{p.id}})
					if err != nil {
						t.Fatal(err)
					}
					if !rows[0].Owner.IsZero() || rows[0].State == tasker.TaskPending || rows[0].State == tasker.TaskInProgress {
						return fmt.Sprintf("%s, %s: %s", situations[i].title, actions[j].name, rows[0].State)
					}
					p.ended = standing(h.read(o, p.id))
				}
			}
			if worker.Stats().Held > 0 {
				return "the worker holds tasks"
			}
			return ""
		})
		got := draw(wards)
		if update {
			if err := os.WriteFile(operatorsDocument, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		for i, section := range strings.SplitAfter(got, "\n## ") {
			if !strings.Contains(string(page), section) {
				title, _, _ := strings.Cut(section, "\n")
				t.Errorf("section %d, %s: docs/operators.md does not say so; make docs draws it again:\n%s", i, title, section)
			}
		}
	}
	if update {
		examine(t, memory.New())
		return
	}
	taskertest.OnEveryStore(t, examine)
}

func parse(t *testing.T, text string) *template.Template {
	t.Helper()
	parsed, err := template.Parse("operators.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func draw(wards [][]patient) string {
	var b strings.Builder
	b.WriteString(operatorsPreface)
	for i, s := range situations {
		task, it, _ := strings.Cut(wards[i][0].before, " | ")
		fmt.Fprintf(&b, "\n## %s\n\nThe task is `%s`, it is `%s`; on_failure: %s.\n\n", s.title, task, it, s.onFailure)
		b.WriteString("| the operator | outcome | in the history | task, it | with a worker |\n|---|---|---|---|---|\n")
		for j, p := range wards[i] {
			after, ended := strings.ReplaceAll(p.after, " |", ","), strings.ReplaceAll(p.ended, " |", ",")
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", actions[j].name, p.outcome, p.history, after, ended)
		}
	}
	return b.String()
}

const operatorsPreface = `# What an operator can do

Made by ` + "`make docs`" + ` from what the engine does; a test holds the two together on both stores. Each task has
the steps before, gate, it, after, one after another, and one beside them; before and it say how they are
undone. No worker lives while the operator acts. "With a worker" is how the task and it stand once a worker
has come for which every step succeeds.

*Refused* says that the state does not allow it, *ended* that the task has ended; neither leaves a trace.
`
