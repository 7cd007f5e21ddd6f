package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// afterTheAccount are the failures that come once an account is, or may be,
// there.
var afterTheAccount = []struct {
	name     string
	args     []string
	undone   []string
	bills    int // that were made, and cancelled
	messages int
}{
	{name: "the account's answers are lost, all of them", args: []string{"-service", "user=lostx3"}, undone: []string{"create_user_account"}},
	{name: "billing is refused for good", args: []string{"-service", "billing=400"}, undone: []string{"create_user_account"}},
	{name: "billing is down for long enough", args: []string{"-service", "billing=503x3"}, undone: []string{"create_user_account", "setup_billing_profile"}},
	{name: "billing's answers are lost, all of them", args: []string{"-service", "billing=lostx3"}, undone: []string{"create_user_account", "setup_billing_profile"}, bills: 1},
	{name: "the preferences are refused for good", args: []string{"-service", "preferences=422"}, undone: []string{"create_user_account", "setup_billing_profile"}, bills: 1},
	{name: "the welcome is refused for good", args: []string{"-service", "notification=403"}, undone: []string{"create_user_account", "setup_billing_profile"}, bills: 1},
	{name: "the welcome is down for long enough", args: []string{"-service", "notification=down"}, undone: []string{"create_user_account", "setup_billing_profile"}, bills: 1},
	{name: "the activation's answers are lost, all of them", args: []string{"-fail", "update_user_status=9"}, undone: []string{"create_user_account", "setup_billing_profile"}, bills: 1, messages: 2},
	{name: "the answer of billing is of no use", args: []string{"-service", "billing=withoutx1:billing_id"}, undone: []string{"create_user_account"}, bills: 1},
}

// undone checks that a registration was taken back.
func undone(t *testing.T, o outcome, steps []string, bills, messages int) {
	t.Helper()
	if o.Exit != 1 || len(o.Tasks) == 0 || o.Tasks[0].State != "error" {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	if n := o.Notes; n.Users != 1 || n.Deactivated != 1 || n.Active != 0 || n.Profiles != 0 || n.Cancelled != bills || n.Messages != messages {
		t.Errorf("what is left behind: %+v, want one deactivated user, %d cancelled bills, %d messages", n, bills, messages)
	}
	got := map[string]bool{}
	for _, s := range o.Tasks[0].Steps {
		if s.Compensation != nil {
			got[s.Name] = s.Compensation.State == "complete"
		}
	}
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, steps) || slices.Contains(slices.Collect(maps.Values(got)), false) {
		t.Errorf("undone are %v, want %v", got, steps)
	}
}

func TestARegistrationThatCannotBeFinishedLeavesNoAccountAndNoBill(t *testing.T) {
	t.Parallel()
	for _, tt := range afterTheAccount {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			undone(t, reader.Report(t, string(example), append([]string{"-env", "test"}, tt.args...)...), tt.undone, tt.bills, tt.messages)
		})
	}
}

func TestFailedBillingLeavesPreferencesCompleteAndWelcomesNobody(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"billing=400", "billing=down"} {
		o := reader.Report(t, string(example), "-env", "test", "-service", fault)
		for name, state := range map[string]string{
			"create_user_account": "complete", "setup_billing_profile": "error", "initialize_preferences": "complete",
			"send_welcome_sequence": "cancelled", "update_user_status": "cancelled",
		} {
			if s := o.Step(name); s.State != state {
				t.Errorf("%s: %s is %s, want %s", fault, name, s.State, state)
			}
		}
		if o.Notes.Messages != 0 || o.Notes.Deactivated != 1 {
			t.Errorf("%s: what is left behind: %+v", fault, o.Notes)
		}
	}
}

func TestTheAccountDoesNotWaitForADeadBillingServiceToForgetIt(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-service", "billing=down")
	undone(t, o, []string{"create_user_account", "setup_billing_profile"}, 0, 0)
	if len(o.Tasks) != 2 || o.Tasks[1].Name != "cancel_billing" || o.Tasks[1].State != "blocked_by_failures" {
		t.Fatalf("the bill that may be left is nobody's task:\n%s", o.Stdout)
	}
	if result := string(o.Step("setup_billing_profile").Compensation.Result); !strings.Contains(result, `"promised"`) || !strings.Contains(result, o.Tasks[1].ID) {
		t.Errorf("the undoing says %s", result)
	}
}

func TestABillOfALostAnswerIsCancelledOnceItsServiceIsBack(t *testing.T) {
	t.Parallel()
	// Three answers to the step are lost, one to the undoing, one to the task.
	o := reader.Report(t, string(example), "-env", "test", "-service", "billing=lostx3", "-service", "billing=503x2", "-breaker", "off")
	undone(t, o, []string{"create_user_account", "setup_billing_profile"}, 1, 0)
	if len(o.Tasks) != 2 || o.Tasks[1].State != "complete" {
		t.Fatalf("the bill is not cancelled:\n%s", o.Stdout)
	}
}

func TestAnAccountThatWasThereBeforeIsNotTakenBack(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, registration("existing@example.com", "Existing User", "free"), "-env", "test", "-service", "notification=403")
	if o.Exit != 1 || o.Tasks[0].State != "error" || o.Notes.Deactivated != 0 {
		t.Fatalf("exit %d, %+v", o.Exit, o.Notes)
	}
	if result := string(o.Step("create_user_account").Compensation.Result); strings.Contains(result, "user_existing_001") {
		t.Errorf("the undoing took %s", result)
	}
}

func TestAnUndoingThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-service", "billing=400", "-fail", "undo:create_user_account=3")
	undone(t, o, []string{"create_user_account"}, 0, 0)
	if undo := o.Step("create_user_account").Compensation; undo.Attempts != 4 || !strings.Contains(string(undo.Result), "user_") {
		t.Errorf("the account was taken back by %d attempts, with %s", undo.Attempts, undo.Result)
	}
}

func TestAnUndoingThatFailsForGoodIsLoud(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test", "-service", "billing=400", "-fail", "undo:create_user_account=permanent")
	for _, want := range []string{"blocked_by_failures", "create_user_account could not be undone: INJECTED_FAILURE"} {
		if o.Exit != 1 || !strings.Contains(o.Stdout, want) {
			t.Errorf("exit %d, want 1 and %q:\n%s", o.Exit, want, o.Stdout)
		}
	}
}

func TestARequestThatComesAfterTheUndoingMakesNothing(t *testing.T) {
	t.Parallel()
	r, world := open(t)
	ctx := stepContext(t, 1, "create_user_account")
	if _, err := r.DeactivateUserAccount(ctx, undoInput{endpoint("user")}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateUserAccount(ctx, createInput{UserInfo{Email: "ada@example.com", Name: "Ada"}, endpoint("user")}); err == nil {
		t.Error("an account was made after it was taken back")
	}
	ctx = stepContext(t, 1, "setup_billing_profile")
	if _, err := r.CancelBillingProfile(ctx, undoInput{endpoint("billing")}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetupBillingProfile(ctx, billingInput{Account: Account{UserID: "user_1", Plan: "pro"}, At: endpoint("billing")}); err == nil {
		t.Error("a bill was made after it was taken back")
	}
	if f := figuresOf(world, root); f.users != 0 || f.profiles != 0 {
		t.Errorf("there is %+v", f)
	}
}

// A crash before an undoing takes effect, after it did and before that is
// recorded, and after that.
func TestACrashAroundAnUndoingTakesTheAccountBackOnce(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	var again []*posttest.Process[noted]
	for _, step := range []string{"create_user_account", "setup_billing_profile"} {
		for _, crash := range []struct {
			flag string
			says []string // where the process is killed; none where it does that itself
		}{
			{"-hang=undo:" + step + "=1m", []string{"undo:" + step, "attempt 1"}},
			{"-fail=undo:" + step + "=3", []string{"undo:" + step, "ANSWER_LOST"}},
			{"-crash-after=undo:" + step, nil},
		} {
			input := pro("Crashes by " + crash.flag)
			command := []string{"-db", url, "-input", "-", "-env", "test", "-service", "notification=403"}
			p := reader.Start(t, input, nil, append(command, crash.flag)...)
			if crash.says != nil {
				p.Until(t, crash.says...)
				_ = p.Process.Kill()
			}
			if p.End(t); !p.Killed() {
				t.Fatalf("%s: the post was not killed:\n%s", crash.flag, p.Shown())
			}
			again = append(again, reader.Start(t, input, nil, append(command, "-json")...))
		}
	}
	for _, p := range again {
		undone(t, p.End(t), []string{"create_user_account", "setup_billing_profile"}, 1, 0)
	}
}
