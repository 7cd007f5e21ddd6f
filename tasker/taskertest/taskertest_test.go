package taskertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestAnOrderRunsOnEveryStore(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		s := taskertest.New(t, templates(t), newLedger().handlers(), store)
		s.Expect(s.Submit("shop/order", input)).Complete().
			Step("charge").Completed().After(1).Gave(receipt{1250}).
			Step("ship").Completed().
			Step("confirm").Completed().Gave(nil)
	})
}

func TestAFailureBeforeTheWorkIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		s := taskertest.New(t, templates(t), l.handlers(), taskertest.OnMemory(t), taskertest.Fail("charge", 2))
		for range 2 { // each task has attempts of its own
			s.Expect(s.Submit("shop/order", input)).Complete().Step("charge").Completed().After(3)
		}
		if calls, _ := l.count(); calls != 2 {
			t.Errorf("the ledger was called %d times", calls)
		}
	})
}

func TestALostAnswerComesAfterTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		s := taskertest.New(t, templates(t), l.handlers(), taskertest.OnMemory(t), taskertest.LoseAnswer("charge", 2))
		s.Expect(s.Submit("shop/order", input)).Complete().Step("charge").After(3)
		if calls, charges := l.count(); calls != 3 || charges != 1 {
			t.Errorf("the ledger was called %d times and holds %d charges", calls, charges)
		}
	})
}

func TestAFailureForGoodBlocksTheTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := taskertest.New(t, templates(t), newLedger().handlers(), taskertest.OnMemory(t), taskertest.FailForGood("ship"))
		s.Expect(s.Submit("shop/order", input)).Is(tasker.TaskBlocked).
			Step("ship").Failed("INJECTED_FAILURE").After(1).
			Step("confirm").NeverStarted()
	})
}

func TestAPanicIsAFailureWithACode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := taskertest.New(t, templates(t), newLedger().handlers(), taskertest.OnMemory(t), taskertest.Panic("charge"))
		s.Expect(s.Submit("shop/order", input)).Is(tasker.TaskBlocked).Step("charge").Failed(tasker.CodePanic)
	})
}

func TestAStepHangsForATimeOrUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hang     time.Duration
		attempts int
		least    time.Duration
	}{
		"for a second":            {time.Second, 1, time.Second},
		"until its timeout of 5s": {0, 2, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := taskertest.New(t, templates(t), newLedger().handlers(), taskertest.OnMemory(t), taskertest.Hang("ship", c.hang))
				id := s.Submit("shop/order", input)
				s.Await(id, "ship", tasker.StepInProgress)
				s.Expect(id).Complete().Step("ship").After(c.attempts)
				if took := time.Since(began); took < c.least || took > c.least+time.Second {
					t.Errorf("the task took %v", took)
				}
			})
		})
	}
}

func TestAnEngineThatCrashesIsTakenOverOnEveryStore(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		l := newLedger()
		s := taskertest.New(t, templates(t), l.handlers(), store, taskertest.CrashAfter("charge"))
		id := s.Submit("shop/order", input)
		s.TakeOver().Expect(id).Complete().
			Step("charge").Completed().After(1).
			Step("ship").Completed().After(1).
			Step("confirm").Completed()
		if calls, _ := l.count(); calls != 1 {
			t.Errorf("a charge that was recorded was made %d times", calls)
		}
	})
}

func TestATransactionalStepThatCrashesLeavesItsWritesOnlyWithItsRecord(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]struct {
		option taskertest.Option
		runs   int // of the handler
	}{
		"after its commit":  {taskertest.CrashAfter("charge"), 1},
		"before its commit": {func(*tasker.Config) {}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := taskertest.OnPostgres(t).(*postgres.Store)
			table := taskertest.Schema(t)
			if _, err := store.Pool().Exec(t.Context(), "CREATE SCHEMA "+table+" CREATE TABLE charges (cents int)"); err != nil {
				t.Fatal(err)
			}
			var s *taskertest.Engine
			runs := 0
			handlers := newLedger().handlers()
			handlers["charge"] = postgres.Step(func(ctx context.Context, tx pgx.Tx, _ struct{}) (any, error) {
				_, err := tx.Exec(ctx, "INSERT INTO "+table+".charges VALUES (1250)")
				if runs++; crash.runs > 1 && runs == 1 {
					s.Crash()
				}
				return nil, err
			})
			s = taskertest.New(t, templates(t), handlers, store, crash.option)
			id := s.Submit("shop/order", input)
			s.TakeOver().Expect(id).Complete().Step("charge").Completed().After(1)
			var charges int
			if err := store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM "+table+".charges").Scan(&charges); err != nil {
				t.Fatal(err)
			}
			if charges != 1 || runs != crash.runs {
				t.Errorf("the handler ran %d times and left %d charges", runs, charges)
			}
		})
	}
}

func TestACrashDuringAStepLosesWhatItDidNotRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		handlers := l.handlers()
		var s *taskertest.Engine
		causes := make(chan error, 1)
		handlers["ship"] = tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
			if tasker.Current(ctx).Number > 1 {
				return nil, nil
			}
			s.Crash()
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return "nobody hears this", nil
		})
		s = taskertest.New(t, templates(t), handlers, taskertest.OnMemory(t))
		id := s.Submit("shop/order", input)
		task := s.TakeOver().Expect(id).Complete().Step("ship").Completed().After(1).Gave(nil)
		if task.LostAttempts != 1 {
			t.Errorf("%d attempts were lost", task.LostAttempts)
		}
		if cause := <-causes; cause == nil || !strings.Contains(cause.Error(), "crashed") {
			t.Errorf("the handler's context ended by %v", cause)
		}
		if _, err := s.Engine.Submit(t.Context(), tasker.Request{Namespace: "shop", Name: "order", Context: input}); err == nil {
			t.Error("a crashed engine still submits")
		}
	})
}

func TestFaultsAndOwnMiddlewareStandTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		watch := func(config *tasker.Config) {
			config.Concurrency = 1
			config.Middleware = append(config.Middleware, func(next tasker.Runner) tasker.Runner {
				return func(ctx context.Context) (any, error) {
					seen = append(seen, tasker.Current(ctx).Step)
					return next(ctx)
				}
			})
		}
		s := taskertest.New(t, templates(t), newLedger().handlers(), taskertest.OnMemory(t), watch, taskertest.Fail("ship", 1))
		s.Expect(s.Submit("shop/order", input)).Complete()
		if got := strings.Join(seen, " "); got != "charge ship ship confirm" {
			t.Errorf("the middleware saw %s", got)
		}
	})
}

func TestAFailedExpectationShowsTheHistoryOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &probe{TB: t}
		s := taskertest.New(p, templates(t), newLedger().handlers(), taskertest.OnMemory(t), taskertest.Fail("charge", 1), taskertest.FailForGood("ship"))
		s.Expect(s.Submit("shop/order", input)).Complete().
			Step("charge").Failed("DECLINED").After(1).NeverStarted().Gave(receipt{1}).
			Step("ship").Completed().Failed("OTHER").
			Step("confirm").Completed()
		text := p.text()
		for _, part := range []string{
			"shop/order", "the task is blocked_by_failures, not complete",
			"step charge is complete; it should have failed with DECLINED", "step charge took 2 attempts, not 1", "step charge was started 2 times; it should never have been",
			"another result", "step ship is error, not complete", "step ship has failed with INJECTED_FAILURE, not with OTHER", "step confirm is pending, not complete",
			`submitted with {"cents":1250}`, "claimed by worker", "attempt 1 fails, the next in", `attempt 2 succeeds with {"cents":1250}`, "attempt 1 fails for good: INJECTED_FAILURE: ship fails for good",
		} {
			if !strings.Contains(text, part) {
				t.Errorf("the failures do not say %q", part)
			}
		}
		if n := strings.Count(text, "submitted with"); n != 1 || len(p.said) != 8 {
			t.Errorf("%d failures show the history %d times:\n%s", len(p.said), n, text)
		}
	})
}

func TestWaitingHasAnEndAndSaysWhatWasMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &probe{TB: t}
		s := taskertest.New(p, templates(t), newLedger().handlers(), taskertest.OnMemory(t), taskertest.Hang("charge", time.Hour))
		id := s.Submit("shop/order", input)
		for what, wait := range map[string]func(){
			"has not ended after 1m0s":                         func() { s.Expect(id) },
			"step charge of task":                              func() { s.Await(id, "charge", tasker.StepComplete) },
			"no such step; it has charge, ship, confirm":       func() { s.Await(id, "chrage", tasker.StepComplete) },
			"no template shop/odrer":                           func() { s.Submit("shop/odrer", input) },
			"the engine has not crashed, so there is nothing":  func() { s.TakeOver() },
			tasker.ErrNotFound.Error():                         func() { s.Expect(tasker.ID{1}) },
			"its step confirm is cancelled, not waiting_for_r": func() { cancelThenAwait(t, s) },
		} {
			p.said, p.ended = nil, false
			p.try(wait)
			if !p.ended || !strings.Contains(p.text(), what) {
				t.Errorf("it ended the test: %t, and said:\n%s\nbut not %q", p.ended, p.text(), what)
			}
		}
	})
}

func cancelThenAwait(t *testing.T, s *taskertest.Engine) {
	id := s.Submit("shop/order", input)
	if err := s.Cancel(t.Context(), id, tasker.By{Actor: "a test"}); err != nil {
		t.Error(err)
	}
	s.Await(id, "confirm", tasker.StepWaitingForRetry)
}

func TestAnEngineThatDoesNotStopFailsItsTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &probe{TB: t}
		free := make(chan struct{})
		handlers := newLedger().handlers()
		handlers["charge"] = tasker.Step(func(context.Context, struct{}) (any, error) { <-free; return nil, errors.New("late") })
		// Cleanups run last in, first out: this one sees what the engine's has said.
		t.Cleanup(func() {
			close(free)
			if !strings.Contains(p.text(), "does not stop as it should") || !strings.Contains(p.text(), "charge") {
				t.Errorf("a handler that does not end gives %q", p.text())
			}
		})
		s := taskertest.New(p, templates(t), handlers, taskertest.OnMemory(t))
		s.Await(s.Submit("shop/order", input), "charge", tasker.StepInProgress)
	})
}
