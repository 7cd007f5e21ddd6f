package taskertest_test

import (
	"context"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// A charge whose answer may be lost, and which is given back then.
const refundable = `
namespace_name: shop
name: order
version: 1.0.0
on_failure: compensate
steps:
  - name: charge
    handler: {callable: charge}
    retry: {limit: 2, backoff_base_ms: 20}
    compensate: {callable: refund, retry: {limit: 2, backoff_base_ms: 20}}
`

func TestAFaultOfAStepSparesItsUndoingAndOneOfItsUndoingTheStep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults  func() []taskertest.Option
		crashes bool
		refunds int // attempts, without those that were lost
	}{
		"every answer to the charge is lost": {func() []taskertest.Option { return nil }, false, 1},
		"and one to the refund":              {func() []taskertest.Option { return []taskertest.Option{taskertest.LoseAnswer("undo:charge", 1)} }, false, 2},
		"and the engine crashes in it":       {func() []taskertest.Option { return []taskertest.Option{taskertest.CrashIn("undo:charge")} }, true, 1},
		"and the engine crashes after it":    {func() []taskertest.Option { return []taskertest.Option{taskertest.CrashAfter("undo:charge")} }, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
				order, err := template.Parse("order.yaml", []byte(refundable))
				if err != nil {
					t.Fatal(err)
				}
				l := newLedger()
				handlers := l.handlers()
				handlers["refund"] = tasker.Undo(func(ctx context.Context, _ struct{}, _ *receipt) (any, error) {
					l.mu.Lock()
					defer l.mu.Unlock()
					delete(l.charges, tasker.Key(ctx))
					return nil, nil
				})
				s := taskertest.New(t, []*template.Template{order}, handlers, store,
					append(c.faults(), taskertest.LoseAnswer("charge", 2))...)
				id := s.Submit("shop/order", input)
				if c.crashes {
					s = s.TakeOver()
				}
				step := s.Expect(id).Is(tasker.TaskError).Step("charge").Failed("ANSWER_LOST").After(2)
				if undo := step.Compensation; undo.State != tasker.StepComplete || undo.Attempts != c.refunds {
					t.Errorf("the refund is %s after %d attempts, want %d", undo.State, undo.Attempts, c.refunds)
				}
				if calls, charges := l.count(); calls != 2 || charges != 0 {
					t.Errorf("the card was charged by %d calls and %d charges are left", calls, charges)
				}
			})
		})
	}
}

func TestACrashInAStepComesWhenItsWorkIsDoneAndNothingIsRecorded(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		l := newLedger()
		s := taskertest.New(t, templates(t), l.handlers(), store, taskertest.CrashIn("charge"))
		id := s.Submit("shop/order", input)
		step := s.TakeOver().Expect(id).Complete().Step("charge").Completed().After(1)
		if step.LostAttempts != 1 {
			t.Errorf("%d attempts were lost", step.LostAttempts)
		}
		if calls, charges := l.count(); calls != 2 || charges != 1 {
			t.Errorf("the ledger was called %d times and holds %d charges", calls, charges)
		}
	})
}
