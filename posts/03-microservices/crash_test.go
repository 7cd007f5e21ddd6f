package main

import (
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestAfterACrashAtAnyBoundaryTheSameCommandGoesOnAndRegistersOnce(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	start := func(step string) *posttest.Process[noted] {
		return reader.Start(t, pro("Crashes after "+step), nil, "-db", url, "-crash-after", step, "-json", "-input", "-")
	}
	var crashes, again []*posttest.Process[noted]
	for _, step := range stepNames {
		crashes = append(crashes, start(step))
	}
	for i, p := range crashes { // all at once: what takes time is to see that a process is dead
		if p.End(t); !p.Killed() {
			t.Fatalf("it was not killed after %s:\n%s%s", stepNames[i], p.Shown(), p.Said())
		}
	}
	for _, step := range stepNames {
		again = append(again, start(step))
	}
	for i, p := range again {
		registeredOnceAfterACrash(t, p.End(t), stepNames[i])
	}
}

func registeredOnceAfterACrash(t *testing.T, o outcome, step string) {
	t.Helper()
	onceOnly(t, o)
	if o.Notes.Requests != 1 {
		t.Errorf("after %s: the user service was asked %d times for a user, want once", step, o.Notes.Requests)
	}
	for _, s := range o.Tasks[0].Steps {
		if s.Attempts != 1 {
			t.Errorf("after %s: %s shows %d attempts", step, s.Name, s.Attempts)
		}
		if s.Name == step && s.Lost != 0 {
			t.Errorf("%s was done before the crash, and yet lost %d attempts by it", s.Name, s.Lost)
		}
	}
}

func TestACrashAfterALostAnswerDoesNotMakeASecondUser(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), pro("Hears Nothing")
	p := reader.Start(t, input, nil, "-db", url, "-input", "-", "-service", "user=lostx2")
	p.Until(t, "create_user_account", "attempt 1 failed", "NETWORK_ERROR")
	_ = p.Process.Kill()
	p.End(t)
	o := reader.Start(t, input, nil, "-db", url, "-input", "-", "-json").End(t)
	onceOnly(t, o)
	if o.Notes.Requests != 2 {
		t.Errorf("there were %d requests for one user, want one before the crash and one after it", o.Notes.Requests)
	}
}

func TestACrashWithTheRepairUnderWayLosesNeitherTheRegistrationNorTheRepair(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), pro("Waits For A Theme")
	command := []string{"-db", url, "-input", "-", "-env", "test"}
	reader.Crash(t, input, nil, append(command, "-service", "preferences=down", "-crash-after", "initialize_preferences")...)
	o := reader.Start(t, input, nil, append(command, "-json")...).End(t)
	onceOnly(t, o)
	if len(o.Tasks) != 2 || o.Tasks[1].Name != "repair_preferences" || !resultsOf(t, o).Preferences.FallbackUsed {
		t.Errorf("the repair did not outlive the crash:\n%s", o.Stdout)
	}
}

func TestManyRegistrationsGoOnAfterACrash(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), pro("Many")
	command := []string{"-db", url, "-json", "-input", "-", "-n", "20", "-crash-after", "setup_billing_profile"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, command...).End(t)
	onceOnly(t, o)
	if len(o.Tasks) != 20 {
		t.Errorf("the report has %d tasks, want 20", len(o.Tasks))
	}
	const oneOfEach = `select count(*) from tasker_posts.worlds
 where name = 'users' and (value -> 'ByKey')::text = '{}'
    or name = 'billing' and (value -> 'ByKey')::text = '{}'
    or name = 'notifications' and json_array_length(value -> 'Messages') <> 2`
	if wrong := posttest.Ask[int](t, url, oneOfEach); wrong != 0 {
		t.Errorf("%d services of the twenty worlds have not what one registration leaves", wrong)
	}
	if worlds := posttest.Ask[int](t, url, "select count(distinct root) from tasker_posts.worlds"); worlds != 20 {
		t.Errorf("there are %d worlds for 20 registrations", worlds)
	}
}
