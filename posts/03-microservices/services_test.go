package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

// Fifty registrations, each with three attempts to bill, and then with one to
// take the bill back and four of a task that does it later.
const (
	crowd       = "50"
	crowdNeeds  = 50 * (3 + 1 + 4)
	mostOfThem  = 5 + slots - 1 // failures until the breaker opens, with what is under way by then
	deadBilling = "billing=down"
)

func TestFiftyTasksAskADeadServiceAHandfulOfTimes(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", deadBilling)
	billing := serviceOf(t, o, "billing")
	if o.Exit != 1 || billing.Breaker != "open" || billing.Calls < 5 || billing.Calls > mostOfThem || billing.Failures != billing.Calls {
		t.Errorf("exit %d, billing: %+v, want at most %d calls", o.Exit, billing, mostOfThem)
	}
	if billing.Calls+billing.Spared != crowdNeeds || o.Notes.Spared != billing.Spared {
		t.Errorf("%d calls and %d spared ones, want %d in all; the notes have %d", billing.Calls, billing.Spared, crowdNeeds, o.Notes.Spared)
	}
	for _, other := range []string{"user", "preferences", "notification"} {
		if s := serviceOf(t, o, other); s.Breaker != "closed" || s.Spared != 0 {
			t.Errorf("a dead billing service opens the breaker of another: %+v", s)
		}
	}
	for _, task := range o.Tasks {
		if task.Name == "user_registration" && task.State != "error" {
			t.Errorf("a registration without billing is %s", task.State)
		}
	}
}

func TestWithoutABreakerEveryAttemptOfEveryTaskIsACall(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", deadBilling, "-breaker", "off")
	if s := serviceOf(t, o, "billing"); s.Breaker != "off" || s.Calls != crowdNeeds || s.Spared != 0 || o.Notes.Spared != 0 {
		t.Errorf("billing: %+v, want %d calls", s, crowdNeeds)
	}
}

func TestABreakerOpensTriesAndClosesInTheTimeline(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test", "-service", "notification=503x1", "-breaker", "1/30ms")
	at := 0
	for _, want := range []string{
		"the breaker opens: calls are spared for 30ms", "CIRCUIT_OPEN: the notification service is down; this call was spared",
		"the breaker is half-open: one call may try", "the breaker closes: the service is back", "its breaker is closed",
	} {
		next := strings.Index(o.Stdout[at:], want)
		if o.Exit != 0 || next < 0 {
			t.Fatalf("exit %d; after %d bytes it does not say %q:\n%s", o.Exit, at, want, o.Stdout)
		}
		at += next
	}
}

func TestASparedCallAsksToBeMadeWhenTheBreakerLetsItThrough(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-service", "user=down", "-breaker", "1/1h")
	if s := o.Step("create_user_account"); s.Error == nil || s.Error.Code != "CIRCUIT_OPEN" || s.Error.Kind != "retryable" || s.Error.RetryAfterMS < 3_500_000 || s.Error.RetryAfterMS > 3_600_001 {
		t.Errorf("the last attempt ends by %+v", s.Error)
	}
	if s := serviceOf(t, o, "user"); s.Calls != 1 || s.Breaker != "open" {
		t.Errorf("user: %+v, want one call", s)
	}
}

func TestWhatIsOverrunIsNotDown(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-n", "10", "-service", "notification=429x20", "-breaker", "1/1h")
	if s := serviceOf(t, o, "notification"); s.Breaker != "closed" || s.Failures != 0 || s.Spared != 0 {
		t.Errorf("after twenty 429s: %+v", s)
	}
}

func TestBillingAndPreferencesOverlap(t *testing.T) {
	t.Parallel()
	meeting := newBarrier("setup_billing_profile", "initialize_preferences")
	met := thisPost
	met.Configure = func(_ *post.World, c *tasker.Config) { c.Middleware = append(c.Middleware, meeting.middleware) }
	o := posttest.Runner[noted]{Post: met}.Report(t, string(example))
	onceOnly(t, o) // alone, the first one to come would wait until its time is up
	billing, preferences, welcome := o.Step("setup_billing_profile"), o.Step("initialize_preferences"), o.Step("send_welcome_sequence")
	if welcome.StartedAt.Before(billing.FinishedAt) || welcome.StartedAt.Before(preferences.FinishedAt) {
		t.Error("the welcome did not wait for both")
	}
}

// barrier lets steps run only when all of them have begun.
type barrier struct{ arrived map[string]chan struct{} }

func newBarrier(steps ...string) *barrier {
	b := &barrier{map[string]chan struct{}{}}
	for _, s := range steps {
		b.arrived[s] = make(chan struct{})
	}
	return b
}

func (b *barrier) middleware(next tasker.Runner) tasker.Runner {
	return func(ctx context.Context) (any, error) {
		if mine, waits := b.arrived[tasker.Current(ctx).Step]; waits {
			close(mine)
			for _, other := range b.arrived {
				select {
				case <-other:
				case <-ctx.Done():
					return nil, tasker.Permanent("ALONE", "the other step has not begun")
				}
			}
		}
		return next(ctx)
	}
}

func TestBillingHealsAfterTwoFailures(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-service", "billing=503x2")
	onceOnly(t, o)
	for _, s := range o.Tasks[0].Steps {
		if want := map[string]int{"setup_billing_profile": 3}[s.Name]; s.Attempts != max(want, 1) {
			t.Errorf("%s took %d attempts", s.Name, s.Attempts)
		}
	}
	if s := serviceOf(t, o, "billing"); s.Calls != 3 || s.Failures != 2 {
		t.Errorf("billing: %+v", s)
	}
}

func TestARetryAfterLongerThanTheBackoffIsHonoured(t *testing.T) {
	t.Parallel()
	for fault, wait := range map[string]string{"notification=429x1:7s": "the next in 7s", "notification=429x1": "the next in 30s", "user=429x1": "the next in 1m0s"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			p := reader.Start(t, "", nil, "-service", fault)
			p.Until(t, wait, "HTTP_429")
			_ = p.Process.Kill()
			p.End(t)
		})
	}
}

func TestALostAnswerIsAskedForAgainAndMakesOneOfEach(t *testing.T) {
	t.Parallel()
	for service, step := range map[string]string{
		"user": "create_user_account", "billing": "setup_billing_profile", "preferences": "initialize_preferences", "notification": "send_welcome_sequence",
	} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, string(example), "-env", "test", "-service", service+"=lostx2")
			onceOnly(t, o)
			if s := o.Step(step); s.Attempts != 3 {
				t.Errorf("%s took %d attempts, want 3", step, s.Attempts)
			}
			if service == "user" && o.Notes.Requests != 3 {
				t.Errorf("the user service was asked %d times for one user, want 3", o.Notes.Requests)
			}
			if r := resultsOf(t, o); r.Account.Status != "created" || r.Welcome.Status != "sent" {
				t.Errorf("a retry is taken for a second registration: %+v", r)
			}
		})
	}
}

func TestEveryStepSurvivesAnAnswerThatTheEngineLoses(t *testing.T) {
	t.Parallel()
	for _, step := range stepNames {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, string(example), "-env", "test", "-fail", step+"=1")
			onceOnly(t, o)
			if s := o.Step(step); s.Attempts != 2 {
				t.Errorf("%s took %d attempts", step, s.Attempts)
			}
		})
	}
}

func TestACallThatTakesTooLongIsCutOffAndMadeAgain(t *testing.T) {
	t.Parallel()
	quick := reader.Report(t, string(example), "-env", "test", "-service", "billing=slowx1:50ms")
	onceOnly(t, quick)
	o := reader.Report(t, string(example), "-env", "test", "-service", "billing=slowx1:1m")
	onceOnly(t, o)
	if s := o.Step("setup_billing_profile"); s.Attempts != 2 || o.Took > 3*time.Second {
		t.Errorf("%d attempts in %v", s.Attempts, o.Took)
	}
}

func TestWithoutItsServiceARegistrationGoesOnWithDefaultsAndARepair(t *testing.T) {
	t.Parallel()
	for fault, attempts := range map[string]int{"preferences=down": 3, "preferences=503": 3, "preferences=lost": 3} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, registration("ada@example.com", "Ada", "pro", `user:"preferences": {"email_notifications": false}`), "-env", "test", "-service", fault)
			if o.Exit != 0 || len(o.Tasks) != 2 || o.Tasks[0].State != "complete" {
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
			if repair := o.Tasks[1]; repair.Name != "repair_preferences" || len(repair.Warnings) != 1 || repair.Step("save_preferences").State != "error" {
				t.Errorf("the repair that cannot be made is %+v", repair)
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
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", "preferences=down")
	spared, complete := 0, 0
	for _, task := range o.Tasks {
		if task.Name != "user_registration" {
			continue
		}
		if task.State == "complete" {
			complete++
		}
		if task.Step("initialize_preferences").Attempts < 3 {
			spared++
		}
	}
	if s := serviceOf(t, o, "preferences"); o.Exit != 0 || complete != 50 || spared == 0 || s.Calls > mostOfThem {
		t.Errorf("exit %d, %d are complete, %d did not use up their attempts, %+v", o.Exit, complete, spared, s)
	}
}

func TestTheSecondRegistrationOfAnActiveUserSendsNoSecondWelcome(t *testing.T) {
	t.Parallel()
	r, world := open(t)
	first, again := register(t, r, 1), register(t, r, 2)
	if first.Account.Status != "created" || first.Welcome.Status != "sent" {
		t.Errorf("the first registration: %+v", first)
	}
	if again.Account.Status != "already_exists" || again.Account.UserID != first.Account.UserID {
		t.Errorf("the second one is of %+v, want %s", again.Account, first.Account.UserID)
	}
	if again.Billing.BillingID != "existing_profile_"+first.Account.UserID || again.Preferences.PreferencesID != "existing_prefs_"+first.Account.UserID {
		t.Errorf("the second one bills %q and saves %q", again.Billing.BillingID, again.Preferences.PreferencesID)
	}
	if again.Welcome.Status != "already_sent" || again.Welcome.SequenceID != first.Welcome.SequenceID {
		t.Errorf("the second welcome is %+v", again.Welcome)
	}
	if f := figuresOf(world, root); f.users != 1 || f.profiles != 1 || f.saved != 1 || f.messages != 2 {
		t.Errorf("two registrations of one user leave %+v", f)
	}
}

// register takes a task through the handlers, as the engine would.
func register(t *testing.T, r *Registration, task byte) (done results) {
	t.Helper()
	user := UserInfo{Email: "Ada@example.com", Name: "Ada", Plan: "pro"}
	var err error
	step := func(f func()) {
		t.Helper()
		if f(); err != nil {
			t.Fatal(err)
		}
	}
	step(func() {
		done.Account, err = r.CreateUserAccount(stepContext(t, task, "create_user_account"), createInput{user, endpoint("user")})
	})
	step(func() {
		done.Billing, err = r.SetupBillingProfile(stepContext(t, task, "setup_billing_profile"), billingInput{Account: done.Account, At: endpoint("billing")})
	})
	step(func() {
		done.Preferences, err = r.InitializePreferences(stepContext(t, task, "initialize_preferences"), preferencesInput{done.Account, user, endpoint("preferences")})
	})
	step(func() {
		done.Welcome, err = r.SendWelcomeSequence(stepContext(t, task, "send_welcome_sequence"), welcomeInput{done.Account, done.Billing, done.Preferences, endpoint("notification")})
	})
	step(func() {
		done.Activation, err = r.UpdateUserStatus(stepContext(t, task, "update_user_status"), activateInput{done.Account, done.Billing, done.Preferences, done.Welcome, endpoint("user")})
	})
	return done
}

func TestAnAddressThatIsJustBeingRegisteredIsWaitedFor(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	in := createInput{UserInfo{Email: "ada@example.com", Name: "Ada", Plan: "pro"}, endpoint("user")}
	if _, err := r.CreateUserAccount(stepContext(t, 1, "create_user_account"), in); err != nil {
		t.Fatal(err)
	}
	_, err := r.CreateUserAccount(stepContext(t, 2, "create_user_account"), in)
	verdictIs(t, err, tasker.KindRetryable, "REGISTRATION_IN_PROGRESS")
	if _, err := r.DeactivateUserAccount(stepContext(t, 1, "create_user_account"), undoInput{in.At}, nil); err != nil {
		t.Fatal(err)
	}
	if account, err := r.CreateUserAccount(stepContext(t, 2, "create_user_account"), in); err != nil || account.Status != "created" {
		t.Errorf("the address of a deactivated account is not free: %+v, %v", account, err)
	}
}

func TestAnEleventhRequestInAMinuteIsRefusedForAMinute(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	ctx := stepContext(t, 1, "send_welcome_sequence")
	send := func() error {
		return r.Notifications.Post(ctx, endpoint("notification"), "/sequences", "key", NewSequence{"user_1", "free", []Message{{Channel: "in_app"}}}, &Sequence{})
	}
	for range requestLimit {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	err := send()
	verdictIs(t, err, tasker.KindRetryable, "HTTP_429")
	if v := err.(*tasker.Error); v.RetryAfter != time.Minute {
		t.Errorf("it asks for %v", v.RetryAfter)
	}
}

func TestAPostWithoutAKeyIsRefused(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	for client, path := range map[*Client]string{r.Users: "user:/users", r.Billing: "billing:/profiles", r.Preferences: "preferences:/preferences", r.Notifications: "notification:/sequences"} {
		service, path, _ := strings.Cut(path, ":")
		err := client.Post(stepContext(t, 1, "step"), endpoint(service), path, "", map[string]string{}, &struct{}{})
		if verdictIs(t, err, tasker.KindPermanent, "CLIENT_VALIDATION_ERROR"); statusOf(err) != http.StatusBadRequest {
			t.Errorf("%s answers %d", service, statusOf(err))
		}
	}
}

// logged is a line of the access log.
type logged struct {
	Service, Method, Path, Status string
	CorrelationID                 string `json:"correlation_id"`
}

func readLog(t *testing.T, file string) (text string, lines []logged) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(strings.NewReader(string(raw))); s.Scan(); {
		var l logged
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		lines = append(lines, l)
	}
	return string(raw), lines
}

func TestTheCorrelationIDIsInTheLogsOfAllFourServicesAndNoAddressIs(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{"the caller's": {`"correlation_id": "reg_1767225600_0a1b2c3d"`}, "the task's own": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "log")
			// A user who exists has the address looked up; one who is new is billed.
			for _, input := range []string{registration("ada@example.com", "Ada", "pro", more...), registration("existing@example.com", "Existing User", "free", more...)} {
				if err := os.RemoveAll(file); err != nil {
					t.Fatal(err)
				}
				o := reader.Report(t, input, "-log", file)
				want := "reg_1767225600_0a1b2c3d"
				if more == nil {
					want = o.Tasks[0].CorrelationID
				}
				text, lines := readLog(t, file)
				seen := map[string]bool{}
				for _, l := range lines {
					seen[l.Service] = true
					if l.CorrelationID != want || l.Status == "" {
						t.Errorf("want the id %s in %+v", want, l)
					}
				}
				if free := strings.Contains(input, `"free"`); len(seen) != 4 && !free || len(seen) != 3 && free {
					t.Errorf("the services that logged are %v", seen)
				}
				if strings.Contains(text, "example.com") || strings.Contains(text, "%40") || strings.Contains(text, "Ada") {
					t.Errorf("the log tells who it is:\n%s", text)
				}
			}
		})
	}
}

func TestTheCorrelationIDGoesWithTheRepairToo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	o := reader.Report(t, registration("ada@example.com", "Ada", "pro", `"correlation_id": "reg_1_00000000"`), "-env", "test", "-log", file, "-service", "preferences=503x4")
	onceOnly(t, o)
	_, lines := readLog(t, file)
	repairs := 0
	for _, l := range lines {
		if l.CorrelationID != "reg_1_00000000" {
			t.Errorf("a call without the id: %+v", l)
		}
		if l.Service == "preferences" {
			repairs++
		}
	}
	if repairs != 5 {
		t.Errorf("the preferences service logged %d requests, want 3 of the registration and 2 of the repair", repairs)
	}
}
