package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/payments"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// everything is all that the teams deploy, for an engine of a test's own.
func everything(t *testing.T, w *post.World) ([]*template.Template, tasker.Handlers) {
	t.Helper()
	var all []*template.Template
	for _, team := range teams {
		templates, err := template.Load(team.Templates, "templates/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, templates...)
	}
	return all, handlersOf(teams, w)
}

func TestThreeTeamsMayUseTheSameName(t *testing.T) {
	t.Parallel()
	if err := clashes(teams); err != nil {
		t.Fatal(err)
	}
	templates, _ := everything(t, post.NewWorld())
	namespaces := map[string]bool{}
	for _, each := range templates {
		if each.Name != "process_refund" {
			t.Errorf("there is a %s", each)
		}
		namespaces[each.Namespace] = true
	}
	if len(namespaces) != 3 {
		t.Errorf("the namespaces are %v", namespaces)
	}
}

func TestAClashIsRefusedAtTheStartAndSaysWhoHasTheName(t *testing.T) {
	t.Parallel()
	brings := func(namespace, source string, handlers ...string) Team {
		return Team{namespace, fstest.MapFS{"templates/t.yaml": {Data: []byte(source)}}, func(*post.World) tasker.Handlers {
			all := tasker.Handlers{}
			for _, name := range handlers {
				all[name] = tasker.Handler{}
			}
			return all
		}}
	}
	source := func(namespace, version string) string {
		return fmt.Sprintf("name: process_refund\nnamespace_name: %s\nversion: %s\nsteps: [{name: a, handler: {callable: a}}]", namespace, version)
	}
	for _, tt := range []struct {
		name string
		team Team
		says string // "" when it is no clash
	}{
		{"the same name, version and namespace", newcomers["template"], "fraud deploys the template payments/process_refund@2.1.0, which payments has deployed already"},
		{"one handler name twice", newcomers["handler"], "fraud deploys the handler payments.ProcessGatewayRefundHandler, which payments has deployed already"},
		{"a new version in somebody else's namespace", brings("fraud", source("payments", "9.0.0")), "fraud deploys the template payments/process_refund@9.0.0, which is outside of its namespace"},
		{"a handler in somebody else's namespace", brings("fraud", source("fraud", "1.0.0"), "payments.NewHandler"), "fraud deploys the handler payments.NewHandler, which is outside of its namespace"},
		{"the same name and version in another namespace", brings("fraud", source("fraud", "2.1.0"), "fraud.RefundHandler"), ""},
		{"another version by its owner", brings("payments", source("payments", "9.0.0"), "payments.NewHandler"), ""},
	} {
		err := clashes(append(teams[:len(teams):len(teams)], tt.team))
		switch {
		case tt.says == "" && err != nil:
			t.Errorf("%s is refused: %v", tt.name, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: the error is %v, want one line with %q", tt.name, err, tt.says)
		}
	}
}

func TestTheClashFlagShowsTheRefusal(t *testing.T) {
	t.Parallel()
	for what, says := range map[string]string{
		"template": "the template payments/process_refund@2.1.0, which payments has deployed already; give it another version, or a namespace of its own",
		"handler":  "the handler payments.ProcessGatewayRefundHandler, which payments has deployed already",
	} {
		if o := reader.Run(t, "", "-clash", what); o.Exit != 2 || o.Stdout != "" || !strings.Contains(o.Stderr, says) {
			t.Errorf("-clash %s: exit %d, %s", what, o.Exit, o.Stderr)
		}
	}
}

func TestTheEngineRefusesTwoTextsUnderOneNameAndVersionToo(t *testing.T) {
	t.Parallel()
	templates, handlers := everything(t, post.NewWorld())
	rival, err := template.Load(newcomers["template"].Templates, "templates/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	handlers["fraud.InstantRefundHandler"] = tasker.Step(func(context.Context, struct{}) (string, error) { return "", nil })
	_, err = tasker.New(tasker.Config{Store: taskertest.OnMemory(t), Templates: append(templates, rival...), Handlers: handlers})
	if err == nil || !strings.Contains(err.Error(), "payments/process_refund@2.1.0 is there twice") {
		t.Errorf("the engine says %v", err)
	}
}

func TestNoHandlerEverSeesAStepOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		templates, handlers := everything(t, post.NewWorld())
		engine := taskertest.New(t, templates, handlers, store, func(c *tasker.Config) {
			c.Middleware = append(c.Middleware, func(next tasker.Runner) tasker.Runner {
				return func(ctx context.Context) (any, error) {
					result, err := next(ctx)
					raw, _ := json.Marshal(result)
					var by struct {
						Namespace string `json:"namespace"`
					}
					_ = json.Unmarshal(raw, &by)
					if at := tasker.Current(ctx); err == nil && by.Namespace != at.Namespace {
						t.Errorf("step %s of %s was done by a handler of %q", at.Step, at.Namespace, by.Namespace)
					}
					return result, err
				}
			})
		})
		const pairs = 40
		t.Attr("tasks", fmt.Sprint(2*pairs))
		var all []tasker.ID
		for i := range pairs {
			email := fmt.Sprintf("concurrent%d@example.com", i)
			all = append(all,
				engine.Submit("payments/process_refund", json.RawMessage(payment("pay_concurrent_123", 2999, email))),
				engine.Submit("customer_success/process_refund", json.RawMessage(ticket("ticket_concurrent_456", "cust_gold_789", 2999))))
		}
		for i, id := range all {
			if i%2 == 1 {
				engine.Await(id, "update_ticket_status", tasker.StepComplete)
			}
			task := engine.Expect(id).Complete()
			if want := 4 + i%2; len(task.Steps) != want {
				t.Errorf("task %d has %d steps, want %d", i, len(task.Steps), want)
			}
			if i%2 == 0 {
				var paid struct {
					Original int64 `json:"original_amount"`
				}
				_ = json.Unmarshal(task.Steps[0].Result, &paid)
				if paid.Original != 3999 {
					t.Errorf("the payment was of %d, want 3999", paid.Original)
				}
			}
		}
	})
}

// In the one global map, whoever registers last has the name.

func TestWithOneGlobalMapTheTeamThatDeploysLastTakesTheNameFromTheOther(t *testing.T) {
	t.Parallel()
	world := post.NewWorld()
	gateway, tickets := payments.New(world).Gateway, customersuccess.New(world).Tickets
	none := tasker.ID{}

	all := registry{}
	deployPayments(all, gateway)
	deployCustomerSuccess(all, tickets)
	note, err := all["process_refund"](t.Context(), "pay_test_12345abc", 4999)
	if err != nil || !strings.Contains(note, "on its way") {
		t.Fatalf("the refund of a payment gives %q, %v", note, err)
	}
	refunds := payments.New(world).Figures(none).Refunds
	t.Attr("refunds_of_a_payment", fmt.Sprint(refunds))
	if refunds != 0 {
		t.Errorf("payments' refund made %d refunds; the story has none, and says that it worked", refunds)
	}

	all = registry{}
	deployCustomerSuccess(all, tickets)
	deployPayments(all, gateway)
	if _, err := all["process_refund"](t.Context(), "ticket_cs_789", 4999); err != nil {
		t.Fatal(err)
	}
	refunds = payments.New(world).Figures(none).Refunds
	t.Attr("refunds_of_a_ticket", fmt.Sprint(refunds))
	if refunds != 1 {
		t.Errorf("the ticket's refund made %d refunds; the story has one, which no manager has seen", refunds)
	}
	if status := customersuccess.New(world).Figures(none).Tickets["ticket_cs_789"]; status != "" {
		t.Errorf("the ticket is %s; the story leaves it untouched", status)
	}
}
