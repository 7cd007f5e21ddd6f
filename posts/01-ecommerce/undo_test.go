package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// afterTheCharge are the failures that come once money may have moved.
var afterTheCharge = []struct {
	name    string
	args    []string
	charges int
	undone  []string
}{
	{"the stock is refused for good", []string{"-fail", "update_inventory=permanent"}, 1, []string{"process_payment"}},
	{"the stock's answers are lost, all of them", []string{"-fail", "update_inventory=9"}, 1, []string{"process_payment", "update_inventory"}},
	{"the order is refused for good", []string{"-fail", "create_order=permanent"}, 1, []string{"process_payment", "update_inventory"}},
	{"the order's answers are lost, all of them", []string{"-fail", "create_order=9"}, 1, []string{"create_order", "process_payment", "update_inventory"}},
	{"the charge's answers are lost, all of them", []string{"-fail", "process_payment=9"}, 1, []string{"process_payment"}},
	{"the charge is refused for good", []string{"-fail", "process_payment=permanent"}, 0, nil},
}

// undone checks that an order of customer left nothing behind but a charge
// and its refund.
func undone(t *testing.T, o outcome, charges int, steps []string) {
	t.Helper()
	if o.Exit != 1 || len(o.Tasks) != 1 || o.Tasks[0].State != "error" {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	if n := o.Notes; n.Charges != charges || n.Refunds != charges || n.Refunded != n.Charged || n.Orders != 0 || n.Mails != 0 || n.Stock["1"] != 100 || n.Stock["2"] != 50 {
		t.Errorf("what is left behind: %+v", n)
	}
	undone := map[string]bool{}
	for _, s := range o.Tasks[0].Steps {
		if s.Compensation != nil {
			undone[s.Name] = s.Compensation.State == "complete"
		}
	}
	if got := slices.Sorted(maps.Keys(undone)); !slices.Equal(got, steps) || slices.Contains(slices.Collect(maps.Values(undone)), false) {
		t.Errorf("undone are %v, want %v", undone, steps)
	}
}

func TestAFailureAfterTheChargeLeavesAChargeAndOneRefundAndTheStockAsItWas(t *testing.T) {
	t.Parallel()
	for _, tt := range afterTheCharge {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			undone(t, reader.Report(t, customer("fails"), append([]string{"-env", "test"}, tt.args...)...), tt.charges, tt.undone)
			text := reader.Run(t, customer("fails"), append([]string{"-env", "test", "-input", "-"}, tt.args...)...).Stdout
			if tt.charges > 0 && (!strings.Contains(text, "124.76 USD went back to the card: 1 refund") || !strings.Contains(text, "undone: ")) {
				t.Errorf("the summary does not say that the money went back:\n%s", text)
			}
		})
	}
}

func TestAnUndoingThatFailsIsTriedAgainAndRefundsOnce(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, customer("waits for money"), "-env", "test", "-fail", "create_order=permanent", "-fail", "undo:process_payment=3")
	undone(t, o, 1, []string{"process_payment", "update_inventory"})
	if undo := o.Step("process_payment").Compensation; undo.Attempts != 4 || !strings.Contains(string(undo.Result), "124.76") {
		t.Errorf("the refund took %d attempts and gave %s", undo.Attempts, undo.Result)
	}
}

func TestAnUndoingThatFailsForGoodIsLoud(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, customer("is stuck"), "-env", "test", "-input", "-", "-fail", "create_order=permanent", "-fail", "undo:update_inventory=permanent")
	for _, want := range []string{"blocked_by_failures", "update_inventory could not be undone: INJECTED_FAILURE"} {
		if o.Exit != 1 || !strings.Contains(o.Stdout, want) {
			t.Errorf("exit %d, want 1 and %q:\n%s", o.Exit, want, o.Stdout)
		}
	}
}

// A crash before an undoing takes effect, after it did and before that is
// recorded, and after that.
func TestACrashAroundAnUndoingRefundsAndReleasesOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"update_inventory", "process_payment"} {
		for _, crashes := range []struct {
			name string
			flag string
			says []string // where the process is killed; none where it does that itself
		}{
			{"before", "-hang=undo:" + step + "=1m", []string{"undo:" + step, "attempt 1"}},
			{"during", "-fail=undo:" + step + "=3", []string{"undo:" + step, "ANSWER_LOST"}},
			{"after", "-crash-after=undo:" + step, nil},
		} {
			t.Run(crashes.name+" "+step, func(t *testing.T) {
				t.Parallel()
				url, input := taskertest.Database(t), customer("crashes "+crashes.name)
				command := []string{"-db", url, "-input", "-", "-fail", "create_order=permanent"}
				p := reader.Start(t, input, nil, append(command, crashes.flag)...)
				if crashes.says != nil {
					p.Until(t, crashes.says...)
					_ = p.Process.Kill()
				}
				if p.End(t); !p.Killed() {
					t.Fatalf("the post was not killed:\n%s", p.Shown())
				}
				o := reader.Start(t, input, nil, append(command, "-json")...).End(t)
				undone(t, o, 1, []string{"process_payment", "update_inventory"})
			})
		}
	}
}
