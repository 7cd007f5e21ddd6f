package tasker

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// mustParse gives a template from its YAML.
func mustParse(t testing.TB, source string) *template.Template {
	t.Helper()
	template, err := template.Parse("test.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// threeSteps are independent of each other; b may be tried twice.
const threeSteps = `
name: three
namespace_name: test
version: 1.0.0
steps:
  - {name: a, handler: {callable: a}}
  - {name: b, handler: {callable: b}, retry: {limit: 2, backoff_base_ms: 100, jitter: 0}}
  - {name: c, handler: {callable: c}}
`

// chain is c after b after a, and an optional last step.
const chain = `
name: chain
namespace_name: test
version: 1.0.0
steps:
  - {name: a, handler: {callable: a}}
  - {name: b, handler: {callable: b}, dependencies: [a]}
  - {name: c, handler: {callable: c}, dependencies: [b], optional: true}
`

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// story folds events, a record each and a second apart, into a task.
func story(t *testing.T, template *template.Template, events ...Event) *Task {
	t.Helper()
	log := Log{Row: Row{Namespace: template.Namespace, Name: template.Name}}
	for i, e := range events {
		log.Records = append(log.Records, Record{Seq: int64(i + 1), At: epoch.Add(time.Duration(i) * time.Second), Events: []Event{e}})
	}
	task, err := Fold(template, log)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func started(step string, attempt int) Event {
	return Event{Kind: Started, Step: step, Attempt: attempt}
}
func completed(step string, attempt int) Event {
	return Event{Kind: Completed, Step: step, Attempt: attempt, Result: []byte(`1`)}
}
func retrying(step string, attempt int, delay time.Duration) Event {
	return Event{Kind: Retrying, Step: step, Attempt: attempt, Error: Retryable("X", "x"), Delay: delay}
}
func failed(step string, attempt int) Event {
	return Event{Kind: Failed, Step: step, Attempt: attempt, Error: Permanent("X", "x")}
}

var opening = []Event{{Kind: Submitted, Context: []byte(`{}`)}, {Kind: Claimed}}

func TestATasksStateFollowsFromItsSteps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		template string
		fail     bool // on_failure: fail
		events   []Event
		want     TaskState
		status   string
		health   string
	}{
		{name: "submitted", template: chain, events: []Event{}, want: TaskInProgress, status: "has_ready_steps", health: "healthy"},
		{name: "running", template: chain, events: []Event{started("a", 1)}, want: TaskInProgress, status: "processing", health: "healthy"},
		{name: "waiting for a retry", template: chain, events: []Event{started("a", 1), retrying("a", 1, time.Hour)}, want: TaskWaitingForRetry, status: "waiting_for_dependencies", health: "recovering"},
		{name: "failed for good", template: chain, events: []Event{started("a", 1), failed("a", 1)}, want: TaskBlocked, status: "blocked_by_failures", health: "blocked"},
		{name: "failed while a sibling runs", template: threeSteps, events: []Event{started("a", 1), started("b", 1), failed("a", 1)}, want: TaskInProgress, status: "blocked_by_failures", health: "blocked"},
		{name: "failed while a sibling is ready", template: threeSteps, events: []Event{started("a", 1), failed("a", 1)}, want: TaskBlocked, status: "blocked_by_failures", health: "blocked"},
		{name: "failed while a retry is due", template: threeSteps, events: []Event{started("a", 1), started("b", 1), retrying("b", 1, 0), failed("a", 1)}, want: TaskBlocked, status: "blocked_by_failures", health: "blocked"},
		{name: "only the optional step failed", template: chain, events: []Event{started("a", 1), completed("a", 1), started("b", 1), completed("b", 1), started("c", 1), failed("c", 1)}, want: TaskInProgress, status: "all_complete", health: "healthy"},
		{name: "some complete, one running", template: threeSteps, events: []Event{started("a", 1), completed("a", 1), started("b", 1), started("c", 1), completed("c", 1)}, want: TaskInProgress, status: "processing", health: "healthy"},
		{name: "lost", template: chain, events: []Event{started("a", 1), {Kind: Lost, Step: "a", Attempt: 1}}, want: TaskInProgress, status: "has_ready_steps", health: "healthy"},
		{name: "cancelled", template: chain, events: []Event{started("a", 1), {Kind: Cancelled}}, want: TaskCancelled, status: "waiting_for_dependencies", health: "healthy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			task := story(t, mustParse(t, tt.template), append(slices.Clone(opening), tt.events...)...)
			if task.State != tt.want {
				t.Errorf("the task is %s, want %s", task.State, tt.want)
			}
			status := task.Status(epoch.Add(time.Minute))
			if status.ExecutionStatus != tt.status || status.Health != tt.health {
				t.Errorf("the status is %s and %s, want %s and %s", status.ExecutionStatus, status.Health, tt.status, tt.health)
			}
		})
	}
}

func TestATaskIsCompleteWhenOnlyAnOptionalStepFailed(t *testing.T) {
	t.Parallel()
	task := story(t, mustParse(t, chain), append(slices.Clone(opening), started("a", 1), completed("a", 1), started("b", 1), completed("b", 1), started("c", 1), failed("c", 1))...)
	n := task.next(epoch)
	if n.event == nil || n.event.Kind != Finished || n.event.TaskState != TaskComplete {
		t.Fatalf("next is %+v, want the task's completion", n.event)
	}
	if want := []string{"c failed: X: x"}; !slices.Equal(task.Warnings, want) {
		t.Errorf("the warnings are %q, want %q", task.Warnings, want)
	}
}

func TestNoStepStartsOnceOneHasFailedForGood(t *testing.T) {
	t.Parallel()
	task := story(t, mustParse(t, threeSteps), append(slices.Clone(opening), started("a", 1), started("b", 1), retrying("b", 1, 0), failed("a", 1))...)
	if n := task.next(epoch.Add(time.Hour)); len(n.start) > 0 || !n.wake.IsZero() {
		t.Errorf("next would start %v and wake at %v, want neither", n.start, n.wake)
	}
}

func TestAStepStartsOnlyAfterAllThatItDependsOn(t *testing.T) {
	t.Parallel()
	template := mustParse(t, `
name: join
namespace_name: test
version: 1.0.0
steps:
  - {name: a, handler: {callable: x}}
  - {name: b, handler: {callable: x}}
  - {name: c, handler: {callable: x}, dependencies: [a, b]}
`)
	half := append(slices.Clone(opening), started("a", 1), started("b", 1), completed("a", 1))
	if n := story(t, template, half...).next(epoch); len(n.start) != 0 {
		t.Errorf("with one parent done next would start %v", n.start)
	}
	if n := story(t, template, append(half, completed("b", 1))...).next(epoch); !slices.Equal(n.start, []int{2}) {
		t.Errorf("with both parents done next would start %v, want c", n.start)
	}
}

func TestARetryIsDueWhenItsWaitIsOverAndNotBefore(t *testing.T) {
	t.Parallel()
	task := story(t, mustParse(t, chain), append(slices.Clone(opening), started("a", 1), retrying("a", 1, time.Second))...)
	due := epoch.Add(4 * time.Second) // the record is the fourth, a second after the third
	if n := task.next(due.Add(-time.Nanosecond)); len(n.start) != 0 || !n.wake.Equal(due) {
		t.Errorf("just before, next would start %v and wake at %v, want nothing and %v", n.start, n.wake, due)
	}
	if n := task.next(due); !slices.Equal(n.start, []int{0}) {
		t.Errorf("on time, next would start %v, want a", n.start)
	}
}

func TestWhetherAFailureIsFinalFollowsFromItsKindAndTheLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		retry     string
		err       *Error
		attempt   int
		want      EventKind
		wantDelay time.Duration
	}{
		{"the first of three fails", `{limit: 3, backoff_base_ms: 100, jitter: 0}`, Retryable("X", "x"), 1, Retrying, 100 * time.Millisecond},
		{"the second waits twice as long", `{limit: 3, backoff_base_ms: 100, jitter: 0}`, Retryable("X", "x"), 2, Retrying, 200 * time.Millisecond},
		{"the third of three is the last", `{limit: 3, backoff_base_ms: 100, jitter: 0}`, Retryable("X", "x"), 3, Failed, 0},
		{"a permanent error is final at once", `{limit: 3}`, Permanent("X", "x"), 1, Failed, 0},
		{"a step that is not retryable has one attempt", `{retryable: false, limit: 3}`, Retryable("X", "x"), 1, Failed, 0},
		{"what the handler asks for is the least", `{limit: 3, backoff_base_ms: 100, jitter: 0}`, Retryable("X", "x").After(2 * time.Second), 1, Retrying, 2 * time.Second},
		{"what the handler asks for may pass the backoff's cap", `{limit: 3, backoff_base_ms: 100, max_backoff_ms: 1000, jitter: 0}`, Retryable("X", "x").After(time.Minute), 1, Retrying, time.Minute},
		{"the backoff counts where it is longer", `{limit: 3, backoff_base_ms: 5000, jitter: 0}`, Retryable("X", "x").After(time.Second), 1, Retrying, 5 * time.Second},
		{"nobody waits longer than an hour for a handler", `{limit: 3, backoff_base_ms: 100, jitter: 0}`, Retryable("X", "x").After(24 * time.Hour), 1, Retrying, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			template := mustParse(t, fmt.Sprintf(`{name: one, namespace_name: test, version: 1.0.0, steps: [{name: a, handler: {callable: a}, retry: %s}]}`, tt.retry))
			events := slices.Clone(opening)
			for n := 1; n < tt.attempt; n++ {
				events = append(events, started("a", n), retrying("a", n, 0))
			}
			task := story(t, template, append(events, started("a", tt.attempt))...)
			e := task.failure(0, tt.err, newChance(1))
			if e.Kind != tt.want || e.Delay != tt.wantDelay {
				t.Errorf("the failure is recorded as %s with a wait of %v, want %s and %v", e.Kind, e.Delay, tt.want, tt.wantDelay)
			}
		})
	}
}

func TestLostAttemptsCountApartAndHaveTheirOwnCeiling(t *testing.T) {
	t.Parallel()
	template := mustParse(t, `{name: one, namespace_name: test, version: 1.0.0, steps: [{name: a, handler: {callable: a}, retry: {limit: 1}}]}`)
	events := slices.Clone(opening)
	for n := 1; n <= MaxLostAttempts; n++ {
		task := story(t, template, append(events, started("a", n))...)
		lost := task.lost(0)
		if final := len(lost) == 2; final != (n == MaxLostAttempts) {
			t.Fatalf("lost attempt %d of %d is final: %t", n, MaxLostAttempts, final)
		}
		events = append(append(events, started("a", n)), lost...)
	}
	task := story(t, template, events...)
	step := task.Steps[0]
	if step.State != StepError || step.Error.Code != CodeWorkerLost || step.LostAttempts != MaxLostAttempts || step.Attempts != 0 {
		t.Errorf("the step is %s by %v after %d lost and %d other attempts", step.State, step.Error, step.LostAttempts, step.Attempts)
	}
}

func TestAStepThatMustNotBeRetriedIsForAPersonOnceItsWorkerIsLost(t *testing.T) {
	t.Parallel()
	template := mustParse(t, `{name: one, namespace_name: test, version: 1.0.0, steps: [{name: a, handler: {callable: a}, retry: {retryable: false}}]}`)
	task := story(t, template, append(slices.Clone(opening), started("a", 1))...)
	lost := task.lost(0)
	if len(lost) != 2 || lost[1].Kind != Failed || lost[1].Error.Code != CodeWorkerLost {
		t.Errorf("a lost attempt is recorded as %+v, want the step's end by %s", lost, CodeWorkerLost)
	}
}

func TestATaskPastItsTimeGoesByOnFailure(t *testing.T) {
	t.Parallel()
	const source = `{name: one, namespace_name: test, version: 1.0.0, on_failure: %s, lifecycle: {max_duration_minutes: 1}, steps: [{name: a, handler: {callable: a}}]}`
	for onFailure, want := range map[template.OnFailure]TaskState{template.Block: TaskBlocked, template.Fail: TaskError, template.Compensate: TaskError} {
		template := mustParse(t, fmt.Sprintf(source, onFailure))
		late := epoch.Add(time.Minute)
		task := story(t, template, opening...)
		if n := task.next(late.Add(-time.Nanosecond)); n.event != nil || !n.wake.Equal(late) {
			t.Errorf("%s: before its time next is %+v, waking at %v", onFailure, n.event, n.wake)
		}
		for n := task.next(late); n.event != nil; n = task.next(late) {
			if err := task.fold(n.event, late); err != nil {
				t.Fatal(err)
			}
		}
		if task.State != want || task.Error == nil || task.Error.Code != CodeDeadline {
			t.Errorf("%s: the task is %s by %v, want %s by %s", onFailure, task.State, task.Error, want, CodeDeadline)
		}
	}
}

func TestALogThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events []Event
		want   string
	}{
		{"an outcome without a start", []Event{completed("a", 1)}, "cannot go on from pending by completed"},
		{"two outcomes of one attempt", []Event{started("a", 1), completed("a", 1), completed("a", 1)}, "cannot go on from complete by completed"},
		{"an outcome of an older attempt", []Event{started("a", 1), retrying("a", 1, 0), started("a", 2), completed("a", 1)}, "is of attempt 1, the last one started is 2"},
		{"a step of another template", []Event{started("z", 1)}, `no step "z"`},
		{"anything after the end", []Event{{Kind: Cancelled}, started("a", 1)}, "has ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := Log{}
			for i, e := range append(slices.Clone(opening), tt.events...) {
				log.Records = append(log.Records, Record{Seq: int64(i + 1), Events: []Event{e}})
			}
			if _, err := Fold(mustParse(t, chain), log); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want one with %q", err, tt.want)
			}
		})
	}
	gap := Log{Records: []Record{{Seq: 1, Events: opening[:1]}, {Seq: 3, Events: opening[1:]}}}
	if _, err := Fold(mustParse(t, chain), gap); err == nil {
		t.Error("a log with a gap is folded")
	}
}

const statesDocument = "../docs/states.md"

func TestTheStatesDocumentIsMadeFromTheTables(t *testing.T) {
	t.Parallel()
	want := drawStates()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(statesDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(statesDocument)
	if err != nil || string(got) != want {
		t.Errorf("docs/states.md is not what the transition tables say; make docs draws it again (%v)", err)
	}
}

func drawStates() string {
	var b strings.Builder
	b.WriteString("# States\n\nMade from `StepTransitions` and `TaskTransitions` in `tasker/states.go` by `make docs`; a test\nholds the two together. What is not here cannot happen.\n\n## A step\n\n<!-- mdcheck skip reason=\"drawn from the table by the test that holds this page\" -->\n```mermaid\nstateDiagram-v2\n    [*] --> pending\n")
	for _, x := range StepTransitions {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", x.From, x.To, x.On)
	}
	b.WriteString("```\n\n| from | event | to |\n|---|---|---|\n")
	for _, x := range StepTransitions {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", x.From, x.On, x.To)
	}
	b.WriteString("\nThe same table rules the undoing of a step. Nothing leads to `skipped` yet.\n\n## A task\n\nA task's state follows from its steps. `complete`, `error`, `cancelled` and `resolved_manually` are\nfinal.\n\n<!-- mdcheck skip reason=\"drawn from the table by the test that holds this page\" -->\n```mermaid\nstateDiagram-v2\n    [*] --> pending\n")
	for _, x := range TaskTransitions {
		fmt.Fprintf(&b, "    %s --> %s\n", x.From, x.To)
	}
	b.WriteString("```\n\n| from | to | when |\n|---|---|---|\n")
	for _, x := range TaskTransitions {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", x.From, x.To, x.Why)
	}
	return b.String()
}
