package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"

	"github.com/tasker-systems/tasker-go/tasker"
)

// scrape gets /metrics as Prometheus does, and reads it with its own parser.
func scrape(t testing.TB, handler http.Handler) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("/metrics answers %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatalf("/metrics is not in Prometheus' format: %v", err)
	}
	return families
}

// busyNight is a scrape after everything that a rule or a panel asks for has
// happened once: success, failure, retries, a payment that cannot be given
// back, an event that breaks its schema, readers that are too slow or fail.
func busyNight(t *testing.T) (families map[string]*dto.MetricFamily) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang-once"], orderByNumber, func(c *tasker.Config) {
			c.Handlers["ecommerce.RefundPaymentHandler"] = tasker.Undo(func(context.Context, noInput, *Payment) (Refund, error) { return Refund{}, ErrUnavailable })
		})
		gate := make(chan struct{})
		_, err := w.Subscribe(tasker.Subscription{Name: "slow", Pattern: "*", Buffer: 1, Timeout: time.Hour, Handle: func(context.Context, tasker.DomainEvent) error {
			<-gate
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		go func() {
			_ = w.Consume(ctx, tasker.Consumer{Name: "failing", Pattern: "*", Handle: func(context.Context, tasker.DomainEvent) error { return ErrUnavailable }})
		}()
		w.checkOut(string(example))
		for _, name := range []string{"standard", "premium"} {
			w.checkOut(with(t, fmt.Sprintf(`{"customer_tier": %q, "cart_items": []}`, name)))
		}
		w.shop.Stock.line.script = incidents["hang"].stock
		w.checkOut(string(premium))
		close(gate)
		giveUp()
		synctest.Wait()
		families = scrape(t, w.endpoints(w.Engine))
	})
	return families
}

// series is one series of a scrape: its name, as PromQL has it, and its labels.
type series struct {
	name   string
	labels map[string]string
}

func seriesOf(families map[string]*dto.MetricFamily) (all []series) {
	for name, family := range families {
		for _, m := range family.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetType() != dto.MetricType_HISTOGRAM {
				all = append(all, series{name, labels})
				continue
			}
			all = append(all, series{name + "_sum", labels}, series{name + "_count", labels})
			for _, b := range m.Histogram.Bucket {
				with := map[string]string{"le": fmt.Sprint(b.GetUpperBound())}
				for k, v := range labels {
					with[k] = v
				}
				all = append(all, series{name + "_bucket", with})
			}
		}
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b((?:tasker|checkout)_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	inText   = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)`)
)

// missing says what an expression, and the texts that show its labels, ask for
// and the scrape has not.
func missing(all []series, expr string, texts ...string) (complaints []string) {
	labels := map[string]bool{}
	for _, found := range selector.FindAllStringSubmatch(expr, -1) {
		var fit []series
		for _, s := range all {
			if s.name == found[1] && fits(s.labels, found[2]) {
				fit = append(fit, s)
			}
		}
		if len(fit) == 0 {
			complaints = append(complaints, "no series is "+found[0])
		}
		for _, s := range fit {
			for name := range s.labels {
				labels[name] = true
			}
		}
	}
	if len(selector.FindString(expr)) == 0 {
		complaints = append(complaints, "it asks for no metric of ours")
	}
	for _, found := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, name := range strings.Split(found[1], ",") {
			if name = strings.TrimSpace(name); name != "" && !labels[name] {
				complaints = append(complaints, "no series has the label "+name)
			}
		}
	}
	for _, text := range texts {
		for _, found := range inText.FindAllStringSubmatch(text, -1) {
			if !labels[found[1]] {
				complaints = append(complaints, "the text shows the label "+found[1])
			}
		}
	}
	return complaints
}

func fits(labels map[string]string, matchers string) bool {
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		wanted := strings.ReplaceAll(m[3], `\\`, `\`)
		value, there := labels[m[1]]
		equal := value == wanted
		if m[2] == "=~" || m[2] == "!~" {
			equal = regexp.MustCompile("^(?:" + wanted + ")$").MatchString(value)
		}
		if !there || equal == strings.HasPrefix(m[2], "!") {
			return false
		}
	}
	return true
}

// question is an expression of a rule or a panel, with the texts about it.
type question struct {
	where, expr string
	texts       []string
}

// questions are all that the rules and the dashboard ask.
func questions(t testing.TB) (all []question) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	raw, err := os.ReadFile("alerts/checkout.rules.yml")
	if err == nil {
		err = yaml.Unmarshal(raw, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			q := question{where: r.Alert, expr: r.Expr}
			for _, text := range r.Annotations {
				q.texts = append(q.texts, text)
			}
			all = append(all, q)
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if raw, err = os.ReadFile("dashboards/checkout.json"); err == nil {
		err = json.Unmarshal(raw, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, question{p.Title, target.Expr, []string{target.LegendFormat}})
		}
	}
	return all
}

// 7.8, 10
func TestEveryMetricAndLabelOfTheRulesAndTheDashboardIsInAScrape(t *testing.T) {
	t.Parallel()
	all, asked := seriesOf(busyNight(t)), questions(t)
	if len(asked) < 25 {
		t.Fatalf("there are %d expressions; are all of them read?", len(asked))
	}
	for _, q := range asked {
		for _, complaint := range missing(all, q.expr, q.texts...) {
			t.Errorf("%s: %s\n  %s", q.where, complaint, q.expr)
		}
	}
	// and the other way round: whatever they ask for, another name is missed
	for _, q := range asked {
		for _, name := range slices.Compact(selector.FindAllString(q.expr, -1)) {
			if renamed := strings.ReplaceAll(q.expr, name[:7], name[:7]+"s"); len(missing(all, renamed)) == 0 {
				t.Errorf("%s: nobody misses a metric that is called otherwise than %s", q.where, name)
			}
		}
		for _, found := range append(grouping.FindAllStringSubmatch(q.expr, -1), matcher.FindAllStringSubmatch(q.expr, -1)...) {
			label := regexp.MustCompile(`[a-z_]+$`).FindString(strings.TrimSpace(strings.Split(found[1], ",")[0]))
			renamed := regexp.MustCompile(`\b`+label+`\b`).ReplaceAllString(q.expr, label+"_x")
			if len(missing(all, renamed)) == 0 {
				t.Errorf("%s: nobody misses the label %s:\n  %s", q.where, label, renamed)
			}
		}
	}
}

func TestAScraperThatAsksForOpenMetricsFindsTheWayFromAFigureToATrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang"], asItIs)
		task := w.checkOut(string(premium))
		synctest.Wait()
		r, asks := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		asks.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.2")
		w.endpoints(w.Engine).ServeHTTP(r, asks)
		text := r.Body.String()
		if !strings.HasPrefix(r.Header().Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(text, "# EOF\n") {
			t.Fatalf("the answer is %s:\n%s", r.Header().Get("Content-Type"), text)
		}
		trace := w.Spans.Trace(task.ID.String())[0].SpanContext().TraceID().String()
		for _, name := range []string{"tasker_step_duration_seconds_bucket", "checkout_failures_total"} {
			if !regexp.MustCompile(`(?m)^` + name + `\{.* # \{.*trace_id="` + trace + `"`).MatchString(text) {
				t.Errorf("no %s names the trace %s:\n%s", name, trace, text)
			}
		}
	})
}

// 7.8, 11
func TestNoSeriesIsAboutACheckoutAndFiftyCheckoutsHaveAsManyAsOne(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"namespace", "task", "step", "outcome", "error_type", "entity", "from", "to", "event", "mode", "reason", "result", "le",
		"customer_tier", "payment_method", "failed_step", "met", "service_name", "service_version", "deployment_environment_name",
	}
	count := func(n int) (names []string) {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, incidents["hang-once"], asItIs)
			for i := range n {
				w.checkOut(customer(t, fmt.Sprint("cust_", i)))
			}
			synctest.Wait()
			for _, s := range seriesOf(scrape(t, w.endpoints(w.Engine))) {
				for name, value := range s.labels {
					if !slices.Contains(allowed, name) {
						t.Errorf("%s has the label %s", s.name, name)
					}
					if strings.Contains(value, "cust_") || strings.Contains(value, "@") || regexp.MustCompile(`[0-9a-f]{8}`).MatchString(value) {
						t.Errorf("%s has %s=%q", s.name, name, value)
					}
				}
				names = append(names, fmt.Sprint(s))
			}
		})
		return names
	}
	const many = 50
	one, fifty := count(1), count(many)
	if len(one) != len(fifty) {
		t.Errorf("one checkout makes %d series, fifty make %d", len(one), len(fifty))
	}
	t.Attr("checkouts", strconv.Itoa(many))
	t.Attr("series", strconv.Itoa(len(fifty)))
}

func TestTheThresholdsOfTheRulesAreTheTemplates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incident{}, asItIs)
		w.holds(map[string]float64{
			`checkout_step_threshold_seconds{step="validate_cart"}`:     2,
			`checkout_step_threshold_seconds{step="process_payment"}`:   5,
			`checkout_step_threshold_seconds{step="update_inventory"}`:  3,
			`checkout_step_threshold_seconds{step="create_order"}`:      2,
			`checkout_step_threshold_seconds{step="send_confirmation"}`: 4,
		})
	})
}

func TestTheEndpointsAnswerOperatorsAndTellNothingOfCustomers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang"], asItIs)
		task := w.checkOut(with(t, `{"correlation_id": "checkout_1"}`))
		handler := w.endpoints(w.Engine)
		for path, want := range map[string]struct {
			status int
			words  []string
		}{
			"/healthz":      {200, []string{`"alive"`}},
			"/readyz":       {200, []string{`"ready"`, `"stuck":0`}},
			"/debug/events": {200, []string{`"checkout.failed":{`, `"published":1`, `"delivered":1`}},
			"/tasks?correlation_id=" + task.CorrelationID: {200, []string{task.ID.String(), `"state":"error"`, `"error_code":"STEP_TIMEOUT"`}},
			"/tasks?correlation_id=nobody":                {200, []string{"[]"}},
			"/tasks":                                      {400, []string{"correlation_id"}},
			"/nothing":                                    {404, nil},
		} {
			r := httptest.NewRecorder()
			handler.ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
			body, _ := io.ReadAll(r.Body)
			if r.Code != want.status || strings.Contains(string(body), "john@") {
				t.Errorf("%s answers %d %s", path, r.Code, body)
			}
			for _, word := range want.words {
				if !strings.Contains(string(body), word) {
					t.Errorf("%s does not say %s: %s", path, word, body)
				}
			}
		}
	})
}
