package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

const refund = `
name: refund
namespace_name: money
version: 1.0.0
steps:
  - {name: approve, handler: {callable: approve}}
  - {name: pay, handler: {callable: pay}, dependencies: [approve], retry: {limit: 1}}
`

// office is a database with refunds, whose worker works only when it is told
// to.
type office struct {
	t      *testing.T
	url    string
	schema string
	broken atomic.Bool // the bank
}

func open(t *testing.T) *office {
	t.Helper()
	return &office{t: t, url: taskertest.PostgresURL(t), schema: taskertest.Schema(t)}
}

// works runs a worker until a task is at rest, and stops it.
func (o *office) works(id tasker.ID) (tasker.ID, *tasker.Task) {
	o.t.Helper()
	parsed, err := template.Parse("refund.yaml", []byte(refund))
	if err != nil {
		o.t.Fatal(err)
	}
	store, err := postgres.Open(o.t.Context(), o.url, postgres.Options{Schema: o.schema})
	if err != nil {
		o.t.Fatal(err)
	}
	defer store.Close()
	engine, err := tasker.New(tasker.Config{Store: store, Templates: []*template.Template{parsed}, Handlers: tasker.Handlers{
		"approve": tasker.Step(func(ctx context.Context, _ struct{}) (tasker.Approval, error) {
			return tasker.Ask[tasker.Approval](ctx, tasker.Question{Prompt: "5.00 USD back?"})
		}),
		"pay": tasker.Step(func(_ context.Context, in struct {
			Approval tasker.Approval `result:"approve"`
		}) (string, error) {
			switch {
			case o.broken.Load():
				return "", tasker.Permanent("BANK_CLOSED", "the bank is closed")
			case !in.Approval.Approved:
				return "nothing", nil
			default:
				return "paid", nil
			}
		}),
	}})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := engine.Start(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	if id.IsZero() {
		submitted, err := engine.Submit(o.t.Context(), tasker.Request{Namespace: "money", Name: "refund", Context: map[string]any{}})
		if err != nil {
			o.t.Fatal(err)
		}
		id = submitted.ID
	}
	task, err := engine.Wait(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := engine.Stop(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	return id, task
}

// says runs the tool and wants its exit code and words in its output.
func (o *office) says(exit int, words []string, args ...string) string {
	o.t.Helper()
	args = append(append([]string{"taskerctl"}, args...), "-db", o.url, "-schema", o.schema, "-actor", "anna")
	if args[1] == "consumers" || args[2] == "list" || args[2] == "show" || args[2] == "history" {
		args = args[:len(args)-2]
	}
	return says(o.t, exit, words, args...)
}

func says(t *testing.T, exit int, words []string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(t.Context(), args, &stdout, &stderr); got != exit {
		t.Fatalf("%s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, exit, &stdout, &stderr)
	}
	text := stdout.String() + stderr.String()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s: it does not say %q:\n%s", strings.Join(args, " "), word, text)
		}
	}
	return stdout.String()
}

// The transcript of an operator's day, with no worker running whenever the
// tool is used.
func TestAnOperatorHelpsTasksOnWithNoWorkerThere(t *testing.T) {
	t.Parallel()
	o := open(t)
	id, _ := o.works(tasker.ID{})
	name := id.String()
	o.says(0, []string{name, "money/refund@1.0.0", "waiting"}, "tasks", "list", "-state", "waiting")
	o.says(0, []string{name, "approve", `"5.00 USD back?"`, "never"}, "approvals", "list")
	o.says(0, []string{"no living worker has the handlers", "waits for an answer", "pending"}, "tasks", "show", name)
	o.says(0, []string{"is in_progress", "as soon as a worker is there"}, "approvals", "approve", name, "-reason", "a good customer")
	o.says(1, []string{"waits with no question"}, "approvals", "approve", name)
	o.broken.Store(true)
	if _, task := o.works(id); task.State != tasker.TaskBlocked {
		t.Fatalf("the task is %s", task.State)
	}
	o.says(0, []string{name}, "tasks", "list", "-state", "blocked_by_failures", "-no-worker")
	o.says(0, []string{"blocked_by_failures: blocked_by_failures, handle_failures, blocked", "BANK_CLOSED: the bank is closed"}, "tasks", "show", name)
	o.says(0, []string{"is in_progress"}, "tasks", "retry", name, "-reason", "the bank is open again")
	o.broken.Store(false)
	if _, task := o.works(id); task.State != tasker.TaskComplete || string(task.Steps[1].Result) != `"paid"` {
		t.Fatalf("the task is %s with %s", task.State, task.Steps[1].Result)
	}
	o.says(0, []string{"waits for an answer", `is answered {"approved":true,"by":"anna","reason":"a good customer"} by anna: a good customer`,
		"is given another chance by anna: the bank is open again", "ends: complete"}, "tasks", "history", name)
	o.says(1, []string{"the task has ended: it is complete"}, "tasks", "cancel", name)
}

func TestADeniedAndACancelledAndAResolvedTask(t *testing.T) {
	t.Parallel()
	o := open(t)
	denied, _ := o.works(tasker.ID{})
	o.says(0, nil, "approvals", "deny", denied.String(), "approve")
	if _, task := o.works(denied); task.State != tasker.TaskComplete || string(task.Steps[1].Result) != `"nothing"` {
		t.Errorf("the denied task is %s with %s", task.State, task.Steps[1].Result)
	}
	cancelled, _ := o.works(tasker.ID{})
	o.says(0, []string{"is cancelled", "what these steps did stays, and cannot be undone by this task any more: approve\n"}, "tasks", "cancel", cancelled.String(), "-reason", "by mistake")
	byHand, _ := o.works(tasker.ID{})
	o.says(0, []string{"is in_progress"}, "steps", "complete", byHand.String(), "approve", "-result", `{"approved": true}`)
	o.says(0, []string{"is complete"}, "steps", "resolve", byHand.String(), "pay", "-reason", "paid in cash")
	failed, _ := o.works(tasker.ID{})
	o.says(0, []string{"is blocked_by_failures"}, "steps", "fail", failed.String(), "approve", "-code", "LOST_PAPER", "-reason", "the form is lost")
	o.says(0, []string{"is resolved_manually"}, "tasks", "resolve", failed.String())
}

func TestJSONIsOneDocument(t *testing.T) {
	t.Parallel()
	o := open(t)
	id, _ := o.works(tasker.ID{})
	for _, command := range [][]string{{"tasks", "list"}, {"tasks", "show", id.String()}, {"tasks", "history", id.String()}, {"approvals", "list"}, {"tasks", "cancel", id.String()}} {
		d := json.NewDecoder(strings.NewReader(o.says(0, nil, append(command, "-json")...)))
		var document map[string]any
		if err := d.Decode(&document); err != nil || d.More() {
			t.Errorf("%v: not exactly one document: %v", command, err)
		}
	}
}

func TestWhatIsWrongIsSaidWithItsExitCode(t *testing.T) {
	t.Parallel()
	o := open(t)
	id, _ := o.works(tasker.ID{})
	none := "01890000-0000-7000-8000-000000000000"
	for _, tt := range []struct {
		exit int
		word string
		args []string
	}{
		{1, "no such task", []string{"tasks", "show", none}},
		{1, `the task has no such step "aprove"; did you mean "approve"?`, []string{"steps", "retry", id.String(), "aprove"}},
		{1, "that cannot be done now: the step is waiting, and it must be error or waiting_for_retry", []string{"steps", "retry", id.String(), "approve"}},
		{2, `"abc" is not the id of a task`, []string{"tasks", "cancel", "abc"}},
		{2, "ID is missing", []string{"tasks", "cancel"}},
		{2, `"x" is one argument too many`, []string{"tasks", "cancel", id.String(), "x"}},
		{2, "that is not JSON", []string{"steps", "complete", id.String(), "approve", "-result", "{"}},
		{2, `"blocked" is not a task state`, []string{"tasks", "list", "-state", "blocked"}},
		{2, "it must not be negative", []string{"tasks", "list", "-idle=-1h"}},
		{2, "it must be at least 1", []string{"approvals", "list", "-limit", "0"}},
	} {
		o.says(tt.exit, []string{tt.word}, tt.args...)
	}
	says(t, 2, []string{"which database?"}, "taskerctl", "tasks", "list", "-db", "")
	says(t, 2, []string{`has no command "lst"`}, "taskerctl", "tasks", "lst")
	says(t, 2, []string{`tasks has no command "lst"; there is list, show`}, "taskerctl", "tasks", "lst", "-h")
	says(t, 2, []string{`taskerctl has no command "events"; there is tasks`}, "taskerctl", "events", "-h")
	says(t, 3, []string{"no database"}, "taskerctl", "tasks", "list", "-db", "postgres://localhost:1/x")
	for _, url := range []string{"here", "mysql://root:secret@here/x"} {
		var stderr bytes.Buffer
		if exit := run(t.Context(), []string{"taskerctl", "tasks", "list", "-db", url}, io.Discard, &stderr); exit != 2 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "it looks like postgres://") || strings.Contains(stderr.String(), "secret") {
			t.Errorf("%s is exit %d: %s", url, exit, &stderr)
		}
	}
	var stderr bytes.Buffer
	if run(t.Context(), []string{"taskerctl", "tasks", "list", "-db", "postgres://localhost:1/x"}, io.Discard, &stderr); strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("an error is more than a line:\n%s", &stderr)
	}
	says(t, 3, []string{"nothing of tasker's in it"}, "taskerctl", "tasks", "list", "-db", o.url, "-schema", "elsewhere")
	says(t, 0, []string{"approvals approve", "Exit codes"}, "taskerctl", "-h")
}

// The question is older than more tasks than a list has, and another step of its
// task runs, on a worker that nobody has heard of since.
func TestAQuestionIsListedHoweverManyTasksAreAheadOfIt(t *testing.T) {
	t.Parallel()
	o := open(t)
	waiting, _ := o.works(tasker.ID{})
	store, err := postgres.Open(t.Context(), o.url, postgres.Options{Schema: o.schema})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	schema := pgx.Identifier{o.schema}.Sanitize()
	for _, sql := range []string{
		"update " + schema + ".tasks set state = 'in_progress', owner = gen_random_uuid()",
		`insert into ` + schema + `.tasks (id, template, environment, namespace, name, priority, tag, holds_identity, retry_ended, input_hash, state, ready, wake_at, created_at)
			select ('ffffffff-ffff-7fff-bfff-' || lpad(to_hex(n), 12, '0'))::uuid, template, environment, namespace, name, 0, '', false, false, '', 'waiting_for_retry', false, now() + interval '1 hour', now()
			  from ` + schema + `.tasks cross join generate_series(1, 1100) as n`,
		`insert into ` + schema + `.records (task, seq, id, events) select id, 1, id, '[{"kind":"submitted","context":{}}]' from ` + schema + `.tasks where state = 'waiting_for_retry'`,
	} {
		if _, err := store.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	o.says(0, []string{waiting.String(), "approve", "5.00 USD back?"}, "approvals", "list")
	if second := o.says(0, []string{"older ones, if there are any: the same command with -before "}, "tasks", "list"); strings.Contains(second, waiting.String()) {
		t.Error("the first hundred have the oldest task")
	}
}

func TestWhatPeopleAndHandlersWriteSteersNoTerminal(t *testing.T) {
	t.Parallel()
	o := open(t)
	id, _ := o.works(tasker.ID{})
	name := id.String()
	o.says(0, nil, "steps", "fail", name, "approve", "-code", "LOST\x1b[2J", "-reason", "the \"form\"\r\nis \x1b[31mlost")
	for _, command := range [][]string{{"tasks", "show", name}, {"tasks", "history", name}} {
		if text := o.says(0, []string{`LOST\x1b[2J: the "form"`}, command...); strings.ContainsAny(text, "\x1b\r") {
			t.Errorf("%v lets it through: %q", command, text)
		}
	}
	o.says(1, []string{`no such step "\x1b[2J"`}, "steps", "retry", name, "\x1b[2J")
}

func TestAConsumerThatNobodyRunsIsSeenAndForgotten(t *testing.T) {
	t.Parallel()
	o := open(t)
	store, err := postgres.Open(t.Context(), o.url, postgres.Options{Schema: o.schema})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o.says(exitDone, []string{"nobody has read events"}, "consumers", "list")
	reads := tasker.EventsHold{Consumer: "bookkeeping", By: tasker.ID{1}, For: time.Hour}
	if _, err := store.TakeEvents(t.Context(), reads, 1); err != nil {
		t.Fatal(err)
	}
	o.says(exitDone, []string{"bookkeeping  alive   0"}, "consumers", "list")
	o.says(exitRefused, []string{"bookkeeping", "somebody else takes"}, "consumers", "forget", "bookkeeping")
	reads.For = 0
	if err := store.AckEvents(t.Context(), reads, 0); err != nil {
		t.Fatal(err)
	}
	o.says(exitDone, []string{"bookkeeping  nobody  0"}, "consumers", "list")
	o.says(exitDone, []string{"bookkeeping is forgotten"}, "consumers", "forget", "bookkeeping")
	o.says(exitRefused, []string{"bookkeeping", "no such consumer"}, "consumers", "forget", "bookkeeping")
	o.says(exitUsage, []string{"NAME is missing"}, "consumers", "forget")
	o.says(exitDone, []string{`"consumers": []`}, "consumers", "list", "-json")
}

func TestTemplatesAreCheckedAndDrawn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	good, again, bad := filepath.Join(folder, "good.yaml"), filepath.Join(folder, "again.yaml"), filepath.Join(folder, "bad.yaml")
	for file, text := range map[string]string{good: refund, again: refund + "# again", bad: strings.Replace(refund, "version", "versoin", 1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says(t, 0, []string{"good.yaml: money/refund@1.0.0, 2 steps"}, "taskerctl", "templates", "validate", good)
	says(t, 1, []string{"good.yaml: money", "bad.yaml:4", `versoin`, "2 of 3 files cannot be used", "again.yaml: money/refund@1.0.0 is in "}, "taskerctl", "templates", "validate", good, bad, again)
	says(t, 1, []string{"is a folder; name its files"}, "taskerctl", "templates", "validate", filepath.Dir(good))
	says(t, 1, []string{"the limit is 1048576"}, "taskerctl", "templates", "validate", "/dev/zero")
	says(t, 0, []string{"approve --> pay", "flowchart"}, "taskerctl", "templates", "graph", good)
	says(t, 1, []string{"no such file"}, "taskerctl", "templates", "graph", "nowhere.yaml")
}
