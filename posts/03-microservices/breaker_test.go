package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

var errDown = tasker.Retryable("HTTP_503", "down").With("status", http.StatusServiceUnavailable)

func TestABreakerSparesCallsUntilItsTimeIsUpAndThenLetsOneThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, ctx := newGuard(post.NewWorld(), "billing"), t.Context()
		down, fine := func() error { return errDown }, func() error { return nil }
		for range usualRule.failures {
			if err := g.do(ctx, down); codeOf(err) != "HTTP_503" {
				t.Fatalf("a closed breaker gives %v", err)
			}
		}
		time.Sleep(2 * time.Second)
		err := g.do(ctx, fine)
		if verdictIs(t, err, tasker.KindRetryable, "CIRCUIT_OPEN"); g.state() != "open" {
			t.Errorf("after five failures it is %s", g.state())
		}
		if wait := err.(*tasker.Error).RetryAfter; wait != 3*time.Second+time.Millisecond {
			t.Errorf("two of five seconds are over, and it asks to wait for %v", wait)
		}
		time.Sleep(4 * time.Second)
		if err := g.do(ctx, down); codeOf(err) != "HTTP_503" || g.state() != "open" {
			t.Errorf("the one that may try gets %v, and leaves it %s", err, g.state())
		}
		time.Sleep(6 * time.Second)
		if err := g.do(ctx, fine); err != nil || g.state() != "closed" {
			t.Errorf("the one that may try gets %v, and leaves it %s", err, g.state())
		}
		if calls, failures, spared := g.calls.Load(), g.failures.Load(), g.spared.Load(); calls != 7 || failures != 6 || spared != 1 {
			t.Errorf("it counts %d calls, %d failures and %d spared", calls, failures, spared)
		}
	})
}

func TestWhileABreakerTriesAllOthersAreSpared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, ctx := newGuard(post.NewWorld(), "billing"), t.Context()
		for range usualRule.failures {
			_ = g.do(ctx, func() error { return errDown })
		}
		time.Sleep(usualRule.cooldown + time.Millisecond)
		_ = g.do(ctx, func() error {
			other := g.do(ctx, func() error { t.Error("a second call came through"); return nil })
			verdictIs(t, other, tasker.KindRetryable, "CIRCUIT_OPEN")
			return nil
		})
	})
}

func TestNoMoreCallsAreUnderWayThanThereAreSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, under, most := newGuard(post.NewWorld(), "billing"), 0, 0
		var mu sync.Mutex
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			under += by
			most = max(most, under)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				_ = g.do(t.Context(), func() error { count(1); time.Sleep(time.Second); count(-1); return nil })
			})
		}
		all.Wait()
		if most != slots || g.calls.Load() != 50 {
			t.Errorf("%d of %d calls were under way at once, want %d", most, g.calls.Load(), slots)
		}
	})
}

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
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", deadBilling, "-breaker", "5/1h")
	billing := serviceOf(t, o, "billing")
	t.Attr("least", strconv.Itoa(int(usualRule.failures)))
	t.Attr("most", strconv.Itoa(mostOfThem))
	t.Attr("needs", strconv.Itoa(crowdNeeds))
	if o.Exit != 1 || billing.Breaker != "open" || billing.Calls < 5 || billing.Calls > mostOfThem || billing.Failures != billing.Calls {
		t.Errorf("exit %d, billing: %+v, want at most %d calls", o.Exit, billing, mostOfThem)
	}
	if !asMany(o, billing.Calls+billing.Spared) || o.Notes.Spared < billing.Spared {
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

// asMany says whether calls are as many as the crowd needs. A machine that is
// so busy that the engine loses its lease repeats what it lost.
func asMany(o outcome, calls int) bool {
	lost := 0
	for _, task := range o.Tasks {
		for _, s := range task.Steps {
			if lost += s.Lost; s.Compensation != nil {
				lost += s.Compensation.Lost
			}
		}
	}
	return crowdNeeds <= calls && calls <= crowdNeeds+lost
}

func TestWithoutABreakerEveryAttemptOfEveryTaskIsACall(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-n", crowd, "-service", deadBilling, "-breaker", "off")
	if s := serviceOf(t, o, "billing"); s.Breaker != "off" || !asMany(o, s.Calls) || s.Spared != 0 || o.Notes.Spared != 0 {
		t.Errorf("billing: %+v, want %d calls", s, crowdNeeds)
	}
}

func TestABreakerOpensTriesAndClosesInTheTimeline(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test", "-service", "notification=503x1", "-breaker", "1/30ms")
	at := 0
	for _, want := range []string{
		"the breaker opens: calls are spared for 30ms", "the breaker is half-open: one call may try", "the breaker closes: the service is back", "its breaker is closed",
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
