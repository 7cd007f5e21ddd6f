package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestTheReportOnPostgresIsThatOfMemory(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	same := func(name, input string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader.SameOnPostgres(t, url, masked, input, append([]string{"-env", "test"}, args...)...)
		})
	}
	same("pro", string(example))
	same("free", registration("free.user@example.com", "Free User", "free"))
	same("enterprise", registration("enterprise@example.com", "Enterprise Customer", "enterprise"))
	same("an existing user", registration("existing@example.com", "Existing User", "free"))
	same("input that is refused", registration("ada@example.com", "Ada", "gold"))
	same("a lost answer", pro("Lost"), "-service", "user=lostx2", "-service", "notification=lostx1")
	same("billing that heals", pro("Heals"), "-service", "billing=503x2")
	same("preferences that are down", pro("Falls Back"), "-service", "preferences=down")
	same("preferences that come back", pro("Is Repaired"), "-service", "preferences=503x4")
	same("billing that is down", pro("Is Undone"), "-service", "billing=down")
	for _, tt := range whatCanGoWrong {
		input, args := tt.input, []string{}
		if input == "" {
			input = pro(tt.name)
		}
		if tt.service != "" {
			args = []string{"-service", tt.service}
		}
		same(tt.name, input, args...)
	}
}

var masks = []posttest.Mask{
	posttest.Hide(`(user|billing|prefs|welcome|msg)_[0-9a-f]{12}\b`, "${1}_ID"),
	posttest.Hide(`"retry_after_ms": \d{4}\b`, `"retry_after_ms": WAIT`), // until a breaker is half-open
}

// masked is a report without what differs from run to run.
func masked(o outcome) any { return posttest.Masked(o.Stdout, masks...) }

func TestFiftyTasksOnPostgresAskADeadServiceAHandfulOfTimes(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", deadBilling, "-breaker", "5/1h", "-db", taskertest.Database(t))
	if s := serviceOf(t, o, "billing"); s.Calls > mostOfThem || !asMany(o, s.Calls+s.Spared) {
		t.Errorf("billing: %+v, want at most %d calls of %d", s, mostOfThem, crowdNeeds)
	}
}

// What the world keeps must come back from PostgreSQL as it was.
func TestEverythingThatTheWorldKeepsComesBackFromJSON(t *testing.T) {
	t.Parallel()
	r, world := open(t)
	register(t, r, 1)
	comesBack(t, newUserService(world).users)
	comesBack(t, newBillingService(world).profiles)
	comesBack(t, newPreferencesService(world).saved)
	comesBack(t, newNotificationService(world).sent)
}

func comesBack[T any](t *testing.T, kept *post.Kept[T]) {
	t.Helper()
	kept.Of(root, func(value T) {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var again T
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(value, again); diff != "" {
			t.Errorf("%T does not come back as it was:\n%s", value, diff)
		}
	})
}

func TestABlockedCancellationIsRetriedByAnOperatorAndTheSameCommandCancelsTheBill(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), pro("Is Billed")
	command := []string{"-db", url, "-env", "test"}
	o := reader.Report(t, input, append(command, "-service", "billing=lostx3", "-service", "billing=down")...)
	if len(o.Tasks) != 2 || o.Tasks[1].State != "blocked_by_failures" || o.Notes.Profiles != 1 || o.Notes.Deactivated != 1 {
		t.Fatalf("there is no bill of a deactivated account: %+v\n%s", o.Notes, o.Stdout)
	}
	retry(t, url, o.Tasks[1].ID)
	again := reader.Report(t, input, command...)
	undone(t, again, []string{"create_user_account", "setup_billing_profile"}, 1, 0)
	if again.Tasks[1].ID != o.Tasks[1].ID || again.Tasks[1].State != "complete" {
		t.Errorf("the cancellation did not go on:\n%s", again.Stdout)
	}
}

func TestABlockedRepairIsRetriedByAnOperatorAndSavesTheWish(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), registration("ada@example.com", "Wants No Mail", "pro", `user:"preferences": {"email_notifications": false}`)
	command := []string{"-db", url, "-env", "test"}
	const saved = `select count(*) from tasker_posts.worlds
 where name = 'preferences' and value::text ~ '"email_notifications": *false'`
	o := reader.Report(t, input, append(command, "-service", "preferences=down")...)
	if o.Exit != 1 || len(o.Tasks) != 2 || o.Tasks[0].State != "complete" || o.Tasks[1].State != "blocked_by_failures" || posttest.Ask[int](t, url, saved) != 0 {
		t.Fatalf("exit %d, and there is no repair that is owed:\n%s", o.Exit, o.Stdout)
	}
	retry(t, url, o.Tasks[1].ID)
	again := reader.Report(t, input, command...)
	if again.Exit != 0 || again.Notes.Messages != 1 || again.Tasks[1].ID != o.Tasks[1].ID || posttest.Ask[int](t, url, saved) != 1 {
		t.Errorf("the wish for no mail is lost:\n%s", again.Stdout)
	}
}

// retry gives a task another chance, as taskerctl does.
func retry(t *testing.T, url, task string) {
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
	if _, err := engine.RetryTask(t.Context(), id, tasker.By{Actor: "ops", Reason: "billing is back"}); err != nil {
		t.Fatal(err)
	}
}
