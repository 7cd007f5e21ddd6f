package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWithoutItsServiceARegistrationGoesOnWithDefaultsAndARepair(t *testing.T) {
	t.Parallel()
	for fault, attempts := range map[string]int{"preferences=down": 3, "preferences=503": 3, "preferences=lost": 3} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, registration("ada@example.com", "Ada", "pro", `user:"preferences": {"email_notifications": false}`), "-env", "test", "-service", fault)
			if o.Exit != 1 || len(o.Tasks) != 2 || o.Tasks[0].State != "complete" {
				t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
			}
			r := resultsOf(t, o)
			if p := r.Preferences; !p.FallbackUsed || p.Status != "unsaved" || p.PreferencesID != "" || len(p.Preferences) != 8 || p.RepairTask != o.Tasks[1].ID {
				t.Errorf("the preferences are %+v", p)
			}
			if s := o.Step("initialize_preferences"); s.Attempts != attempts || s.Error != nil {
				t.Errorf("%d attempts, with error %v", s.Attempts, s.Error)
			}
			if !slices.Equal(r.Welcome.Channels, []string{"in_app"}) {
				t.Errorf("who wants no mail is written to on %v because of an outage", r.Welcome.Channels)
			}
			if a := r.Activation; a.Status != "active" || !slices.Equal(a.ServicesDegraded, []string{"preferences_service"}) || slices.Contains(a.ServicesDone, "preferences_service") {
				t.Errorf("the activation is %+v", a)
			}
			if repair := o.Tasks[1]; repair.Name != "repair_preferences" || repair.State != "blocked_by_failures" || repair.Step("save_preferences").State != "error" {
				t.Errorf("the repair that cannot be made is not on anybody's list: %+v", repair)
			}
		})
	}
}

func TestDefaultsAreNotTakenForWhatAUserWants(t *testing.T) {
	t.Parallel()
	for fault, attempts := range map[string]int{
		"preferences=409x1":  2, // there are some, says one answer; there are none, says the next
		"preferences=lostx1": 2,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, registration("ada@example.com", "Ada", "pro", `user:"preferences": {"email_notifications": false}`), "-env", "test", "-service", fault)
			if o.Exit != 0 || o.Notes.Saved != 1 || o.Notes.Messages != 1 || o.Step("initialize_preferences").Attempts != attempts {
				t.Fatalf("exit %d, %+v\n%s%s", o.Exit, o.Notes, o.Stdout, o.Stderr)
			}
			r := resultsOf(t, o)
			if p := r.Preferences; len(p.Preferences) != 8 || p.Preferences["email_notifications"] != false || p.CreatedAt.IsZero() {
				t.Errorf("the preferences are %+v", p)
			}
			if !slices.Equal(r.Welcome.Channels, []string{"in_app"}) {
				t.Errorf("who wants no mail is written to on %v", r.Welcome.Channels)
			}
		})
	}
}

func TestARepairSavesThePreferencesOnceTheServiceIsBack(t *testing.T) {
	t.Parallel()
	for fault, saved := range map[string]string{"preferences=503x4": `"prefs_`, "preferences=lostx3": `"existing_prefs_user_`} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, string(example), "-env", "test", "-service", fault)
			onceOnly(t, o)
			if len(o.Tasks) != 2 || o.Tasks[1].ParentID != o.Tasks[0].ID {
				t.Fatalf("there are %d tasks", len(o.Tasks))
			}
			if got := string(o.Tasks[1].Step("save_preferences").Result); !strings.Contains(got, saved) {
				t.Errorf("the repair gives %s, want %s…", got, saved)
			}
		})
	}
}

func TestWhereTheBreakerIsOpenNobodyWaitsForPreferences(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", "preferences=down", "-breaker", "5/1h")
	spared, complete, owed := 0, 0, 0
	for _, task := range o.Tasks {
		if task.Name != "user_registration" {
			if task.State == "blocked_by_failures" {
				owed++
			}
			continue
		}
		if task.State == "complete" {
			complete++
		}
		if task.Step("initialize_preferences").Attempts < 3 {
			spared++
		}
	}
	if s := serviceOf(t, o, "preferences"); o.Exit != 1 || complete != 50 || owed != 50 || spared == 0 || s.Calls > mostOfThem {
		t.Errorf("exit %d, %d are complete, %d repairs are owed, %d did not use up their attempts, %+v", o.Exit, complete, owed, spared, s)
	}
}
