package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

func TestMain(m *testing.M) { posttest.Main(m, main) }

// reader runs the post as its reader does.
var reader = posttest.Runner[noted]{Post: thisPost}

type outcome = posttest.Outcome[noted]

// noted is what the tests read of the report's notes.
type noted struct {
	Requests    int `json:"create_requests"`
	Users       int `json:"users_created"`
	Active      int `json:"users_active"`
	Deactivated int `json:"users_deactivated"`
	Profiles    int `json:"billing_profiles"`
	Cancelled   int `json:"billing_cancelled"`
	Saved       int `json:"preferences_saved"`
	Messages    int `json:"messages"`
	Calls       int `json:"calls"`
	Spared      int `json:"calls_spared"`
}

var stepNames = []string{"create_user_account", "setup_billing_profile", "initialize_preferences", "send_welcome_sequence", "update_user_status"}

// registration makes a registration's context. more are other parts of it, or
// of user_info where they begin with "user:".
func registration(email, name, plan string, more ...string) string {
	user := fmt.Sprintf(`"email": %q, "name": %q, "source": "api_test"`, email, name)
	if plan != "" {
		user += fmt.Sprintf(`, "plan": %q`, plan)
	}
	rest := ""
	for _, m := range more {
		if part, ok := strings.CutPrefix(m, "user:"); ok {
			user += ", " + part
		} else {
			rest += ", " + m
		}
	}
	return fmt.Sprintf(`{"user_info": {%s}%s}`, user, rest)
}

// pro is a registration for the plan pro, by somebody of that name.
func pro(name string) string { return registration("ada@example.com", name, "pro") }

// serviceOf gives what the report says of a service.
func serviceOf(t *testing.T, o outcome, name string) (found struct {
	Name     string `json:"name"`
	Breaker  string `json:"breaker"`
	Calls    int    `json:"calls"`
	Failures int    `json:"failures"`
	Spared   int    `json:"spared"`
}) {
	t.Helper()
	for _, s := range o.Services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the report has no service %s: %+v", name, o.Services)
	return found
}

// onceOnly checks that a registration for pro left behind what one does.
func onceOnly(t *testing.T, o outcome) {
	t.Helper()
	if o.Exit != 0 || len(o.Tasks) == 0 {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	for _, task := range o.Tasks {
		for _, s := range task.Steps {
			if s.State != "complete" || s.Error != nil {
				t.Errorf("%s is %s, with error %v", s.Name, s.State, s.Error)
			}
		}
	}
	if n := o.Notes; n.Users != 1 || n.Active != 1 || n.Deactivated != 0 || n.Profiles != 1 || n.Cancelled != 0 || n.Saved != 1 || n.Messages != 2 {
		t.Errorf("what is left behind: %+v", n)
	}
}

// open makes a registration upon a world of its own, with its four servers.
func open(t *testing.T) (*Registration, *post.World) {
	t.Helper()
	world := post.NewWorld()
	t.Cleanup(companyOf(world).close)
	return newRegistration(world), world
}

var root = tasker.ID{1}

// stepContext gives the context that the engine would give a step of a task;
// all tasks of a test share a world.
func stepContext(t *testing.T, task byte, step string) context.Context {
	t.Helper()
	return tasker.WithAttempt(t.Context(), &tasker.Attempt{
		TaskID: tasker.ID{task}, RootID: root, Step: step, Number: 1, Max: 3, CorrelationID: fmt.Sprintf("reg_%d", task),
	})
}
