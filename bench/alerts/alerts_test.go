// Package alerts holds the alert rules of post 05 against Prometheus' own
// engine: each fires when it should, and is silent when it should. It is here
// and not beside the rules because Prometheus brings much along.
package alerts

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const (
	rulesFile     = "../../posts/05-observability/alerts/checkout.rules.yml"
	dashboardFile = "../../posts/05-observability/dashboards/checkout.json"
)

// finished, and so on, are series of a minute's samples each: 0+7x30 begins at
// 0 and grows by 7, thirty times; _ is no sample.
const (
	finished  = `tasker_tasks_finished_total{namespace="ecommerce",task="monitored_checkout",outcome="OUTCOME"} `
	bucket    = `tasker_step_duration_seconds_bucket{namespace="ecommerce",task="monitored_checkout",step="update_inventory",outcome="success",le="LE"} `
	threshold = `checkout_step_threshold_seconds{step="update_inventory"} 3x60`
	failures  = `checkout_failures_total{namespace="ecommerce",failed_step="update_inventory",error_type="STEP_TIMEOUT",customer_tier="TIER"} `
	lost      = `checkout_revenue_lost_total{customer_tier="standard"} `
	exhausted = `tasker_step_exhausted_total{namespace="ecommerce",task="monitored_checkout",step="update_inventory"} `
	undo      = `tasker_state_transitions_total{namespace="ecommerce",entity="undo",from="in_progress",to="TO"} `
	refused   = `tasker_events_failed_total{namespace="ecommerce",event="checkout.failed",mode="durable",reason="schema"} `
	heldUp    = `tasker_events_failed_total{namespace="ecommerce",event="checkout.failed",mode="durable",reason="reader"} `
	dropped   = `tasker_events_dropped_total{namespace="ecommerce",event="checkout.completed",mode="broadcast"} `
	sla       = `checkout_sla_total{met="MET"} `
	active    = `tasker_tasks_active{namespace="ecommerce"} `
	idle      = `checkout_tasks_idle{namespace="ecommerce"} `
)

func complete(values string) string {
	return strings.Replace(finished, "OUTCOME", "complete", 1) + values
}
func failed(values string) string { return strings.Replace(finished, "OUTCOME", "error", 1) + values }
func within(le, values string) string {
	return strings.Replace(bucket, "LE", le, 1) + values
}
func ofTier(tier, values string) string { return strings.Replace(failures, "TIER", tier, 1) + values }
func undone(to, values string) string   { return strings.Replace(undo, "TO", to, 1) + values }
func met(yes, values string) string     { return strings.Replace(sla, "MET", yes, 1) + values }

// nights are what may happen, and which alerts are firing at a minute of it.
var nights = []struct {
	name   string
	series []string
	minute int
	firing []string
}{
	{"a quiet evening", []string{complete("0+9x60"), failed("0+1x60"), active + "3x60", idle + "0x60", lost + "0+900x60", met("true", "0+9x60"), met("false", "0x60")}, 40, nil},
	{"nobody buys anything", []string{complete("50x60"), failed("3x60"), active0(), idle + "0x60", met("true", "50x60"), met("false", "0x60")}, 40, nil},

	{"three in ten fail", []string{complete("0+7x60"), failed("0+3x60")}, 20, []string{"CheckoutSuccessLow"}},
	{"all fail, and none was ever complete", []string{failed("0+1x60")}, 20, []string{"CheckoutSuccessLow"}},
	{"three in ten fail, for a minute", []string{complete("0+10x20 207+7x1 214+10x30"), failed("0+0x20 3+0x30")}, 21, nil},

	{"the stock is slow", []string{within("2", "0x60"), within("3", "0+5x60"), within("5", "0+10x60"), within("+Inf", "0+10x60"), threshold}, 20, []string{"StepSlow"}},
	{"the stock is as it should be", []string{within("2", "0+9x60"), within("3", "0+10x60"), within("5", "0+10x60"), within("+Inf", "0+10x60"), threshold}, 20, nil},

	{"a premium customer's checkout fails, the first of all", []string{ofTier("premium", "_x9 1x50")}, 10, []string{"PremiumCheckoutFailed"}},
	{"and the next one", []string{ofTier("premium", "1x20 2x40")}, 22, []string{"PremiumCheckoutFailed"}},
	{"that was a while ago", []string{ofTier("premium", "_x9 1x50")}, 20, nil},
	{"a standard customer's checkout fails", []string{ofTier("standard", "_x9 1x50")}, 10, nil},

	{"600 dollars are lost", []string{lost + "0x10 60000x50"}, 12, []string{"RevenueLossHigh"}},
	{"400 dollars are lost", []string{lost + "0x10 38000x50"}, 12, nil},

	{"a step has used up its attempts, for the first time", []string{exhausted + "_x9 1x50"}, 10, []string{"RetriesExhausted"}},
	{"and once more", []string{exhausted + "4x20 5x40"}, 22, []string{"RetriesExhausted"}},
	{"it did so yesterday", []string{exhausted + "5x60"}, 30, nil},

	{"a payment cannot be given back, for the first time", []string{undone("error", "_x9 1x50")}, 10, []string{"UndoFailed"}},
	{"nor can the next one", []string{undone("error", "1x20 2x40")}, 22, []string{"UndoFailed"}},
	{"one could not, yesterday", []string{undone("error", "1x60")}, 30, nil},
	{"many are given back", []string{undone("complete", "0+3x60")}, 30, nil},

	{"an event breaks its schema, for the first time", []string{refused + "_x9 1x50"}, 10, []string{"EventsRefused"}},
	{"and once more", []string{refused + "1x20 2x40"}, 22, []string{"EventsRefused"}},
	{"one did, last week", []string{refused + "3x60"}, 30, nil},

	{"a consumer fails with the same event again and again", []string{heldUp + "_x9 0+8x50"}, 20, []string{"ConsumerHeldUp"}},
	{"a consumer fails, and then does not", []string{heldUp + "0x9 3x50"}, 20, nil},

	{"a subscriber is too slow", []string{dropped + "_x9 3x50"}, 10, []string{"EventsDropped"}},
	{"it was, last week", []string{dropped + "3x60"}, 30, nil},

	{"one in ten is late", []string{met("true", "0+9x60"), met("false", "0+1x60")}, 20, []string{"SLAMissed"}},
	{"one in a hundred is late", []string{met("true", "0+99x60"), met("false", "0+1x60")}, 20, nil},

	// The night of the post: one checkout in five hangs, the others are fine.
	// No failure is counted anywhere.
	{"one checkout in five hangs", []string{complete("0+8x60"), active + "2+2x60", idle + "0x15 1+2x45", lost + "0x60", met("true", "0+8x60"), met("false", "0x60")}, 30, []string{"TaskStuck"}},
	{"they are let go", []string{complete("0+8x60"), active + "2x60", idle + "4x15 0x45"}, 30, nil},
	{"all of them hang", []string{complete("0+8x10 80x50"), active + "0x10 5x50", idle + "0x20 5x40"}, 35, []string{"NothingFinishes", "TaskStuck"}},
	{"all of them hang, since the process began", []string{active + "5x60"}, 25, []string{"NothingFinishes"}},
	{"the first checkout of a process has just ended", []string{active + "5x60", complete("_x20 1x40")}, 25, nil},
	{"checkouts are rare, and each ends", []string{active + "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", complete("0 0 0 0 1x4 2x4 3x4 4x4 5x4 6x4")}, 30, nil},
}

func active0() string { return active + "0x60" }

func TestEachAlertFiresWhenItShouldAndIsSilentWhenItShould(t *testing.T) {
	t.Parallel()
	fired := map[string]bool{}
	for _, night := range nights {
		got := firing(t, night.series, night.minute)
		if !slices.Equal(got, night.firing) {
			t.Errorf("%s: after %d minutes %q are firing, want %q", night.name, night.minute, got, night.firing)
		}
		for _, name := range night.firing {
			fired[name] = true
		}
	}
	for _, r := range load(t, nil).Rules() {
		if !fired[r.Name()] {
			t.Errorf("no night has %s fire", r.Name())
		}
	}
}

func TestARestartWhichSetsCountersToNothingCallsNobody(t *testing.T) {
	t.Parallel()
	series := []string{complete("0+9x20 0+9x40"), failed("0+1x20 0+1x40"), lost + "0+100x20 0+100x40", met("true", "0+9x20 0+9x40"), met("false", "0x60"), exhausted + "5x20 _x40"}
	for minute := 15; minute < 40; minute++ {
		if got := firing(t, series, minute); len(got) != 0 {
			t.Errorf("after %d minutes %q are firing", minute, got)
		}
	}
}

func TestEveryPanelAsksWhatPrometheusUnderstands(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(target.Expr); err != nil {
				t.Errorf("%s: %v\n%s", panel.Title, err, target.Expr)
			}
		}
	}
}

// load reads the rules, upon series.
func load(t *testing.T, series []string) *rules.Group {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(series, "\n  "))
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{
		MaxSamples: 1_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() }, Parser: parser.NewParser(parser.Options{}),
	})
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(engine, storage), AppendableV2: storage, Queryable: storage,
		Context: t.Context(), Logger: promslog.NewNopLogger(), NotifyFunc: func(_ context.Context, _ string, _ ...*rules.Alert) {},
	})
	groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, rulesFile)
	if len(errs) > 0 || len(groups) != 1 {
		t.Fatalf("%d groups, %v", len(groups), errs)
	}
	for _, g := range groups {
		return g
	}
	return nil
}

// firing evaluates the rules every minute, and names what fires after some.
func firing(t *testing.T, series []string, minutes int) (names []string) {
	t.Helper()
	group := load(t, series)
	for m := range minutes + 1 {
		group.Eval(t.Context(), time.Unix(0, 0).Add(time.Duration(m)*time.Minute))
	}
	for _, r := range group.Rules() {
		if r.LastError() != nil {
			t.Errorf("%s: %v", r.Name(), r.LastError())
		}
		alert := r.(*rules.AlertingRule)
		if slices.ContainsFunc(alert.ActiveAlerts(), func(a *rules.Alert) bool { return a.State == rules.StateFiring }) {
			names = append(names, r.Name())
		}
	}
	slices.Sort(names)
	return names
}
