package post_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

const loan = `
name: loan
namespace_name: bank
version: 1.0.0
steps:
  - {name: ask, handler: {callable: ask}}
  - {name: order_money, handler: {callable: order_money}, dependencies: [ask]}
  - {name: await_money, handler: {callable: await_money}, dependencies: [order_money]}
`

const transfer = `
name: transfer
namespace_name: vault
version: 2.0.0
steps: [{name: carry, handler: {callable: carry}, timeout_seconds: 30}]
`

// bank is a post with a question and a sub-task. approver answers, if it is
// asked to by a flag.
var bank = post.Post{
	Name:      "00-bank",
	Templates: []fs.FS{fstest.MapFS{"templates/loan.yaml": {Data: []byte(loan)}}, fstest.MapFS{"templates/transfer.yaml": {Data: []byte(transfer)}}},
	Task:      "bank/loan",
	Example:   []byte(`{}`),
	Flags: []post.Flag{{Name: "approver", Value: "NAME", About: "who says yes", Check: func(s string) error {
		if s == "" {
			return fmt.Errorf("somebody must have a name")
		}
		return nil
	}}},
	Handlers: func(w *post.World) tasker.Handlers {
		return tasker.Handlers{
			"ask": tasker.Step(func(ctx context.Context, _ struct{}) (tasker.Approval, error) {
				return tasker.Ask[tasker.Approval](ctx, tasker.Question{Prompt: "may they?"})
			}),
			"order_money": tasker.Step(func(ctx context.Context, _ struct{}) (tasker.ID, error) {
				made, err := tasker.Submit(ctx, tasker.Request{Namespace: "vault", Name: "transfer", Context: map[string]any{}})
				return made.ID, err
			}),
			"await_money": tasker.Step(func(ctx context.Context, in struct {
				Transfer tasker.ID `result:"order_money"`
			}) (string, error) {
				task, err := tasker.Await(ctx, in.Transfer, 0)
				if err != nil {
					return "", err
				}
				if task.State != tasker.TaskComplete {
					return "", tasker.Permanent("NO_MONEY", "the transfer is %s", task.State)
				}
				return "here it is", nil
			}),
			"carry": tasker.Step(func(ctx context.Context, _ struct{}) (string, error) {
				carried := post.Keep(w, "carried", func() int { return 0 })
				w.Say("vault", "opens")
				return "carried", carried.Do(ctx, func(n *int) error { *n++; return nil })
			}),
		}
	},
	Answer: func(w *post.World, _ *tasker.Task, _ string, q *tasker.Wait) (any, tasker.By, bool) {
		if names := w.Flag("approver"); len(names) > 0 {
			return tasker.Approval{Approved: true, By: names[0]}, tasker.By{Actor: names[0], Reason: "they may"}, true
		}
		return nil, tasker.By{}, false
	},
	Notes: func(w *post.World, task tasker.ID) (notes map[string]any) {
		post.Keep(w, "carried", func() int { return 0 }).Of(task, func(n int) { notes = map[string]any{"carried": n} })
		return notes
	},
	Services: func(*post.World) []post.Service {
		return []post.Service{{Name: "vault", Breaker: "closed", Calls: 3, Failures: 1}}
	},
}

var client = posttest.Runner[struct {
	Carried int `json:"carried"`
}]{Post: bank}

func TestASubTaskIsWaitedForAndReportedAfterItsParent(t *testing.T) {
	t.Parallel()
	for store, args := range map[string][]string{"memory": nil, "postgres": {"-db", taskertest.Database(t)}} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			o := client.Report(t, `{}`, append(args, "-approver", "anna")...)
			if o.Exit != 0 || len(o.Tasks) != 2 || o.Tasks[1].ParentID != o.Tasks[0].ID || o.Tasks[1].State != "complete" {
				t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
			}
			if o.Notes.Carried != 1 || len(o.Services) != 1 || o.Services[0].Calls != 3 {
				t.Errorf("carried %d times; services %v", o.Notes.Carried, o.Services)
			}
		})
	}
}

func TestACorrelationIDInTheInputIsThatOfTheTaskAndItsSubTasks(t *testing.T) {
	t.Parallel()
	o := client.Report(t, `{"correlation_id": "cs-17"}`, "-approver", "anna")
	if len(o.Tasks) != 2 || o.Tasks[0].CorrelationID != "cs-17" || o.Tasks[1].CorrelationID != "cs-17" {
		t.Errorf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	for _, other := range []string{`{}`, `{"correlation_id": 5}`, `{"correlation_id": "\u0000"}`, `{"correlation_id": "` + strings.Repeat("x", 300) + `"}`} {
		if o := client.Report(t, other, "-approver", "anna"); len(o.Tasks) == 2 && o.Tasks[0].CorrelationID != o.Tasks[0].ID {
			t.Errorf("%.40s: the correlation id is %q, want the task's own", other, o.Tasks[0].CorrelationID)
		}
	}
}

func TestTheTimelineSetsSubTasksInAndSaysWhatThePostSays(t *testing.T) {
	t.Parallel()
	o := client.Run(t, "", "-approver", "anna")
	for _, want := range []string{"  vault/transfer", "vault                  opens", "ask                    may go on", "vault: 3 calls, 1 of them failed; its breaker is closed"} {
		if !strings.Contains(o.Stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, o.Stdout)
		}
	}
}

func TestATaskThatNobodyAnswersEndsTheRunAndIsGoneOnWith(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	o := client.Report(t, `{}`, "-db", url)
	if o.Exit != 1 || len(o.Tasks) != 1 || o.Tasks[0].State != "waiting" {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	text := client.Run(t, `{}`, "-db", url, "-input", "-").Stdout
	if want := "approvals approve -db '" + url + "' " + o.Tasks[0].ID + " ask"; !strings.Contains(text, want) || !strings.Contains(text, "ask waits for") {
		t.Errorf("the run does not say how to help with %q:\n%s", want, text)
	}
	approve(t, url, o.Tasks[0].ID)
	again := client.Report(t, `{}`, "-db", url)
	if again.Exit != 0 || again.Tasks[0].ID != o.Tasks[0].ID || again.Tasks[0].Step("ask").Attempts != 1 {
		t.Errorf("exit %d\n%s%s", again.Exit, again.Stdout, again.Stderr)
	}
	if third := client.Report(t, `{}`, "-db", url); third.Tasks[0].ID == o.Tasks[0].ID {
		t.Error("a run that is over is gone on with")
	}
}

// approve answers as an operator elsewhere does.
func approve(t *testing.T, url, task string) {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	engine, err := tasker.New(tasker.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	id, err := tasker.ParseID(task)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Answer(t.Context(), id, "ask", tasker.Approval{Approved: true, By: "bo"}, tasker.By{Actor: "bo"}); err != nil {
		t.Fatal(err)
	}
}

func TestAPostsOwnFlagIsInTheHelpAndChecked(t *testing.T) {
	t.Parallel()
	if help := client.Run(t, "", "-h").Stdout; !strings.Contains(help, "-approver NAME             who says yes") {
		t.Errorf("the help is\n%s", help)
	}
	if o := client.Run(t, "", "-approver", ""); o.Exit != 2 || !strings.Contains(o.Stderr, "somebody must have a name") {
		t.Errorf("exit %d: %s", o.Exit, o.Stderr)
	}
}

func TestManyFirstRunsOnAnEmptyDatabaseMakeItsTablesOnce(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	for range 8 {
		t.Run("run", func(t *testing.T) {
			t.Parallel()
			if o := client.Report(t, `{}`, "-approver", "anna", "-db", url); o.Exit != 0 {
				t.Errorf("exit %d\n%s", o.Exit, o.Stderr)
			}
		})
	}
}
