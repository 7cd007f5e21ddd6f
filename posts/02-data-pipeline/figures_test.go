package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestTheTemplateIsThatOfThePage(t *testing.T) {
	t.Parallel()
	type row struct {
		Step           string
		After          []string
		Attempts       int
		Base, Max, Run time.Duration
	}
	const s = time.Second
	want := []row{
		{"extract_sales_data", nil, 3, 2 * s, 30 * s, 30 * s},
		{"extract_inventory_data", nil, 3, 2 * s, 30 * s, 30 * s},
		{"extract_customer_data", nil, 3, 2 * s, 30 * s, 30 * s},
		{"transform_sales", []string{"extract_sales_data"}, 2, 2 * s, 20 * s, 20 * s},
		{"transform_inventory", []string{"extract_inventory_data"}, 2, 2 * s, 20 * s, 20 * s},
		{"transform_customers", []string{"extract_customer_data"}, 2, 2 * s, 20 * s, 20 * s},
		{"aggregate_metrics", []string{"transform_sales", "transform_inventory", "transform_customers"}, 2, 2 * s, 20 * s, 30 * s},
		{"generate_insights", []string{"aggregate_metrics"}, 2, 2 * s, 20 * s, 20 * s},
	}
	for environment, base := range map[string]time.Duration{"production": 2 * s, "development": 200 * time.Millisecond, "test": 50 * time.Millisecond} {
		var got []row
		for _, step := range loaded(t, asItIs)[0].In(environment).Steps {
			got = append(got, row{step.Name, step.Dependencies, step.Retry.Attempts(), step.Retry.Base, step.Retry.Max, step.Timeout})
		}
		for i := range want {
			want[i].Base = base
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs from the page (- page, + template):\n%s", environment, diff)
		}
	}
}

func TestARetryRuleInSecondsByAnUnknownKeyIsRefused(t *testing.T) {
	t.Parallel()
	text, err := templates.ReadFile("templates/analytics_pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = parse(strings.Replace(string(text), "backoff_base_ms: 2000", "initial_wait: 2", 1))
	if err == nil || !strings.Contains(err.Error(), "initial_wait") {
		t.Errorf("the error is %v; a hint that does nothing should be one", err)
	}
}

func TestAProductNeedsReorderingByItsSumAndAWarehouseAlertsByItsOwnShelf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		rows           []StockItem
		warehouses     map[string]int // alerts
		needsReorder   bool
		warehouseCount int
	}{
		{"one piece above both points", []StockItem{{"P", "S", "W1", 51, 50}}, map[string]int{"W1": 0}, false, 1},
		{"at the point, which is low enough", []StockItem{{"P", "S", "W1", 50, 50}}, map[string]int{"W1": 1}, true, 1},
		{"one shelf is short, and the others make up for it", []StockItem{{"P", "S", "W1", 10, 50}, {"P", "S", "W2", 200, 50}}, map[string]int{"W1": 1, "W2": 0}, false, 2},
		{"the sum is at the sum of the points", []StockItem{{"P", "S", "W1", 10, 50}, {"P", "S", "W2", 90, 50}}, map[string]int{"W1": 1, "W2": 0}, true, 2},
		{"one piece more", []StockItem{{"P", "S", "W1", 10, 50}, {"P", "S", "W2", 91, 50}}, map[string]int{"W1": 1, "W2": 0}, false, 2},
		{"two rows of one shelf are one warehouse", []StockItem{{"P", "S", "W1", 60, 50}, {"P", "S", "W1", 60, 50}}, map[string]int{"W1": 0}, false, 1},
		{"an empty shelf with no point", []StockItem{{"P", "S", "W1", 0, 0}}, map[string]int{"W1": 1}, true, 1},
	}
	for _, tt := range tests {
		f := inventoryFigures(tt.rows)
		for warehouse, want := range tt.warehouses {
			if got := f.WarehouseSummary[warehouse]; got.ReorderAlerts != want || got.ProductCount != 1 {
				t.Errorf("%s: %s has %d alerts for %d products, want %d for 1", tt.name, warehouse, got.ReorderAlerts, got.ProductCount, want)
			}
		}
		product := f.ProductInventory["P"]
		if product.NeedsReorder != tt.needsReorder || (f.ReorderAlerts == 1) != tt.needsReorder || product.WarehouseCount != tt.warehouseCount {
			t.Errorf("%s: %+v and %d alerts, want %t and %d warehouses", tt.name, product, f.ReorderAlerts, tt.needsReorder, tt.warehouseCount)
		}
	}
}

func TestEveryCustomerIsInExactlyOneSegment(t *testing.T) {
	t.Parallel()
	for value, want := range map[money.Amount]ValueSegments{
		0: {Low: 1}, 999_99: {Low: 1}, 1000_00: {Medium: 1}, 9999_00: {Medium: 1}, 9999_50: {Medium: 1}, 9999_99: {Medium: 1}, 10000_00: {High: 1},
	} {
		got := customerFigures([]Customer{{CustomerID: "C", Tier: "gold", LifetimeValue: value}}, Segments{10000_00, 1000_00}).ValueSegments
		if got != want {
			t.Errorf("%s USD count as %+v, want %+v", value, got, want)
		}
	}
}

func TestAnAverageIsRoundedToTheCent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		total money.Amount
		of    int
		want  money.Amount
	}{{3199_73, 5, 639_95}, {999_90, 5, 199_98}, {1, 2, 1}, {1, 3, 0}, {2, 3, 1}, {-1, 2, -1}, {-1, 3, 0}, {5, 0, 0}, {0, 7, 0}} {
		if got := average(tt.total, tt.of); got != tt.want {
			t.Errorf("%s shared by %d is %s, want %s", tt.total, tt.of, got, tt.want)
		}
	}
	if got := turnover(3199_73, 815); got != 3.9260 {
		t.Errorf("the turnover is %v, want 3.926", got)
	}
	if got := turnover(3199_73, 0); got != 0 {
		t.Errorf("the turnover of no stock is %v", got)
	}
}

// theRules are those of the template.
func theRules(t *testing.T) (rules HealthScheme) {
	t.Helper()
	raw, err := json.Marshal(loaded(t, asItIs)[0].Steps[7].Handler.Initialization["health"])
	if err == nil {
		err = json.Unmarshal(raw, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestTheScoreAndTheWordsAgreeAlsoAtTheThresholds(t *testing.T) {
	t.Parallel()
	const well, more = "Customers spend well: keep them coming back", "Offer each customer something that goes with what they buy"
	tests := []struct {
		name        string
		perCustomer money.Amount
		value       money.Amount // lifetime, of the one customer
		alerts      int
		score       int
		rating      string
		advice      string // on revenue
	}{
		{"all is well", 500_01, 3000_01, 0, 100, "Excellent", well},
		{"exactly 500 is not above 500", 500_00, 3000_01, 0, 60, "Good", more},
		{"exactly 3000 is not above 3000", 500_01, 3000_00, 0, 70, "Good", well},
		{"something is short", 500_01, 3000_01, 1, 70, "Good", well},
		{"only the customers spend", 500_01, 3000_00, 2, 40, "Fair", well},
		{"only the stock is well", 500_00, 3000_00, 0, 30, "Needs Improvement", more},
		{"only the customers are worth something", 1, 3000_01, 1, 30, "Needs Improvement", more},
		{"stock and value", 1, 3000_01, 0, 60, "Good", more},
		{"nothing is well", 1, 1, 1, 0, "Needs Improvement", more},
	}
	rules := theRules(t)
	for _, tt := range tests {
		m := Metrics{TotalRevenue: tt.perCustomer, RevenuePerCustomer: tt.perCustomer, TotalCustomers: 1, TotalCustomerLifetimeValue: tt.value, InventoryReorderAlerts: tt.alerts}
		signs := rules.signsOf(m)
		if got := rules.score(signs); got.Score != tt.score || got.Rating != tt.rating || got.MaxScore != 100 {
			t.Errorf("%s: %+v, want %d %s", tt.name, got, tt.score, tt.rating)
		}
		insights := insightsOf(m, signs)
		if got := insights[0]; got.Recommendation != tt.advice || string(got.Metric) != tt.perCustomer.String() {
			t.Errorf("%s: the advice on revenue is %+v, want %q", tt.name, got, tt.advice)
		}
		if got := insights[1]; string(got.Metric) != fmt.Sprint(tt.alerts) || tt.alerts > 0 && !strings.Contains(got.Finding, fmt.Sprint(tt.alerts)) {
			t.Errorf("%s: the finding on the inventory is %+v", tt.name, got)
		}
		if got := insights[2]; !strings.Contains(got.Finding, tt.value.String()) {
			t.Errorf("%s: the finding on value is %+v", tt.name, got)
		}
	}
}

func TestWhoeverChangesTheTemplateMovesTheScore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ change, to, score, segments string }{
		{"above: 500,", "above: 700,", `{"score":60,"max_score":100,"rating":"Good"}`, `{"high_value":1,"medium_value":3,"low_value":1}`},
		{"points: 40", "points: 50", `{"score":110,"max_score":110,"rating":"Excellent"}`, `{"high_value":1,"medium_value":3,"low_value":1}`},
		{"high_from: 10000", "high_from: 7500", `{"score":100,"max_score":100,"rating":"Excellent"}`, `{"high_value":2,"medium_value":2,"low_value":1}`},
	} {
		changed := loaded(t, func(text string) string { return strings.Replace(text, tt.change, tt.to, 1) })
		p := newPipeline(post.NewWorld())
		engine := taskertest.New(t, changed, p.Handlers(), taskertest.OnMemory(t))
		task := engine.Expect(engine.Submit(thisTask, request("2025-11-01", "2025-11-30"))).Complete()
		var insights struct {
			Health json.RawMessage `json:"health_score"`
		}
		var customers struct {
			Segments json.RawMessage `json:"value_segments"`
		}
		if err := errors.Join(json.Unmarshal(task.Step("generate_insights").Result, &insights), json.Unmarshal(task.Step("transform_customers").Result, &customers)); err != nil {
			t.Fatal(err)
		}
		if string(insights.Health) != tt.score || string(customers.Segments) != tt.segments {
			t.Errorf("with %s the health is %s and the segments %s, want %s and %s", tt.to, insights.Health, customers.Segments, tt.score, tt.segments)
		}
	}
}

func TestTheGateOpensAtItsThresholdsAndNotBelow(t *testing.T) {
	t.Parallel()
	whole := Customer{CustomerID: "C", Tier: "gold"}
	rows := func(complete, incomplete int) []Customer {
		return append(slices.Repeat([]Customer{whole}, complete), make([]Customer, incomplete)...)
	}
	tests := []struct {
		name string
		rows []Customer
		min  int
		max  float64
		open bool
	}{
		{"as many rows as there must be", rows(5, 0), 5, 0, true},
		{"one too few", rows(4, 0), 5, 0, false},
		{"as many gaps as there may be", rows(19, 1), 1, 0.05, true},
		{"one gap too many", rows(18, 2), 1, 0.05, false},
		{"no rows where none are needed", nil, 0, 0, true},
		{"no rows where one is", nil, 1, 1, false},
		{"nothing but gaps where all may be", rows(0, 3), 1, 1, true},
	}
	for _, tt := range tests {
		err := checkQuality("crm", tt.rows, tt.min, tt.max)
		if (err == nil) != tt.open {
			t.Errorf("%s: the gate says %v", tt.name, err)
		}
		var verdict *tasker.Error
		if err != nil && (!errors.As(err, &verdict) || verdict.Code != "DATA_QUALITY_FAILED" || verdict.Kind != tasker.KindPermanent || verdict.Context["rows"] != len(tt.rows)) {
			t.Errorf("%s: the verdict is %+v", tt.name, verdict)
		}
	}
}

func TestThresholdsOfARequestStandBesideTheDefaultsThatItLeaves(t *testing.T) {
	t.Parallel()
	defaults := Quality{MinInventory: 1, MinCustomers: 1, MaxNullShare: 0.05}
	got, err := (&Pipeline{}).CheckRequest(t.Context(), requestInput{
		Window: DateRange{"2025-11-01", "2025-11-01"}, Wanted: json.RawMessage(`{"min_order_records": 7, "min_customer_records": 0}`), Defaults: defaults,
	})
	if want := (Quality{MinOrders: 7, MinInventory: 1, MaxNullShare: 0.05}); err != nil || got.Quality != want {
		t.Errorf("the thresholds are %+v (%v), want %+v", got.Quality, err, want)
	}
}

// stepContext gives the context that the engine would give a step.
func stepContext(t *testing.T, step string) context.Context {
	t.Helper()
	id, err := tasker.ParseID("0192f4e2-7c1a-7b3d-9e58-3c2f1a0b4d6e")
	if err != nil {
		t.Fatal(err)
	}
	return tasker.WithAttempt(t.Context(), &tasker.Attempt{TaskID: id, RootID: id, Step: step, Number: 1, Version: "1.0.0"})
}

func TestAHandlerSaysWhichOfItsInputsIsMissing(t *testing.T) {
	t.Parallel()
	p := newPipeline(post.NewWorld())
	some := aggregateInput{Inventory: &InventoryFigures{TransformationType: "t"}, Customers: &CustomerFigures{}}
	for _, tt := range []struct {
		code    string
		missing []string
		call    func(context.Context) error
	}{
		{"MISSING_EXTRACT_RESULTS", extracts[:1], func(ctx context.Context) error { _, err := p.TransformSales(ctx, salesInput{}); return err }},
		{"MISSING_EXTRACT_RESULTS", extracts[1:2], func(ctx context.Context) error { _, err := p.TransformInventory(ctx, inventoryInput{}); return err }},
		{"MISSING_EXTRACT_RESULTS", extracts[2:], func(ctx context.Context) error {
			_, err := p.TransformCustomers(ctx, customersInput{Customers: &Extract[Customer]{}})
			return err
		}},
		{"MISSING_TRANSFORM_RESULTS", branches, func(ctx context.Context) error { _, err := p.AggregateMetrics(ctx, aggregateInput{}); return err }},
		{"MISSING_TRANSFORM_RESULTS", []string{"transform_sales", "transform_customers"}, func(ctx context.Context) error { _, err := p.AggregateMetrics(ctx, some); return err }},
		{"MISSING_AGGREGATE_RESULTS", nil, func(ctx context.Context) error { _, err := p.GenerateInsights(ctx, insightsInput{}); return err }},
		{"MISSING_AGGREGATE_RESULTS", nil, func(ctx context.Context) error {
			_, err := p.GenerateInsights(ctx, insightsInput{Metrics: &Metrics{}})
			return err
		}},
	} {
		err := tt.call(stepContext(t, "step"))
		var verdict *tasker.Error
		if !errors.As(err, &verdict) || verdict.Code != tt.code || verdict.Kind != tasker.KindPermanent {
			t.Errorf("the verdict is %v, want a permanent %s", err, tt.code)
			continue
		}
		if diff := cmp.Diff(tt.missing, verdict.Context["missing"]); tt.missing != nil && diff != "" {
			t.Errorf("%s names something else as missing:\n%s", tt.code, diff)
		}
	}
}

// An operator who resolves an extract leaves a step without a result.
func TestAStepResolvedByHandIsMissedByTheOneThatNeedsIt(t *testing.T) {
	t.Parallel()
	ops := tasker.By{Actor: "on call", Reason: "the CRM is gone for good"}
	for _, tt := range []struct{ fails, misses, code string }{
		{"extract_customer_data", "transform_customers", "MISSING_EXTRACT_RESULTS"},
		{"transform_sales", "aggregate_metrics", "MISSING_TRANSFORM_RESULTS"},
		{"aggregate_metrics", "generate_insights", "MISSING_AGGREGATE_RESULTS"},
	} {
		t.Run(tt.fails, func(t *testing.T) {
			t.Parallel()
			taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
				engine, _ := engineWith(t, store, unchanged, taskertest.FailForGood(tt.fails))
				id := engine.Submit(thisTask, request("2025-11-01", "2025-11-30"))
				engine.Expect(id).Is(tasker.TaskBlocked)
				if _, err := engine.ResolveStep(t.Context(), id, tt.fails, ops); err != nil {
					t.Fatal(err)
				}
				engine.Await(id, tt.misses, tasker.StepError)
				engine.Expect(id).Is(tasker.TaskBlocked).Step(tt.misses).Failed(tt.code).After(1)
			})
		})
	}
}

// many is a source of as many sales as wanted, all of one day.
type many int

func (m many) Read(context.Context, DateRange) ([]Sale, error) {
	return slices.Repeat([]Sale{{"ORD-1", "2025-11-01", "PROD-A", 1, 1_00}}, int(m)), nil
}

func TestManyRowsTravelByReferenceSinceAResultHasALimit(t *testing.T) {
	t.Parallel()
	inline := func(text string) string {
		return strings.ReplaceAll(text, "max_inline_rows: 500", "max_inline_rows: 50000")
	}
	for _, tt := range []struct {
		name string
		edit func(string) string
		code string // of the failure, if any
	}{{"by reference", asItIs, ""}, {"row by row", inline, "RESULT_TOO_LARGE"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(post.NewWorld())
			p.Sales = many(20_000)
			engine := taskertest.New(t, loaded(t, tt.edit), p.Handlers(), taskertest.OnMemory(t))
			task := engine.Expect(engine.Submit(thisTask, request("2025-11-01", "2025-11-30")))
			if tt.code != "" {
				task.Is(tasker.TaskBlocked).Step("extract_sales_data").Failed(tt.code).After(1)
				return
			}
			task.Complete()
			var extract struct {
				Records []Sale `json:"records"`
				Stored  Object `json:"stored"`
			}
			result := task.Step("extract_sales_data").Result
			if err := json.Unmarshal(result, &extract); err != nil {
				t.Fatal(err)
			}
			if extract.Records != nil || extract.Stored.Rows != 20_000 || extract.Stored.Bytes < 1<<20 || len(result) > 1000 {
				t.Errorf("the result has %d bytes and %d rows, for %+v", len(result), len(extract.Records), extract.Stored)
			}
			if !strings.Contains(string(task.Step("transform_sales").Result), `"total_revenue":20000.00`) {
				t.Errorf("the transform found %s", task.Step("transform_sales").Result)
			}
		})
	}
}

func TestAnObjectThatIsNotWhatWasPutThereIsNotTaken(t *testing.T) {
	t.Parallel()
	a := newArchive(post.NewWorld())
	object, err := a.Put(t.Context(), "p", 1, []byte(`[1]`))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := a.Put(t.Context(), "p", 1, []byte(`[1]`)); err != nil || again != object {
		t.Errorf("the same content is the object %+v (%v), want %+v again", again, err, object)
	}
	if content, err := a.Get(t.Context(), object); err != nil || string(content) != `[1]` {
		t.Errorf("there is %s (%v)", content, err)
	}
	_ = a.objects.Do(t.Context(), func(o *Objects) error { (*o)[object.Key] = []byte(`[2]`); return nil })
	if _, err := a.Get(t.Context(), object); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("of a changed object it says %v", err)
	}
	if _, err := a.Get(t.Context(), Object{Key: "nothing"}); err == nil {
		t.Error("there is an object that nobody put there")
	}
}

func TestAnAnswerThatNobodyHasThoughtOfIsRetryable(t *testing.T) {
	t.Parallel()
	var verdict *tasker.Error
	if err := sourceVerdict(&SourceError{sourceCRM, "418"}); !errors.As(err, &verdict) || verdict.Kind != tasker.KindRetryable || verdict.Code != "CRM_UNKNOWN_ANSWER" {
		t.Errorf("the verdict is %v, want a retryable CRM_UNKNOWN_ANSWER", err)
	}
}

func TestEveryAnswerThatIsNoRowsHasAVerdict(t *testing.T) {
	t.Parallel()
	for _, answer := range slices.Sorted(maps.Keys(answers)) {
		if _, known := sourceVerdicts[answer]; !known && answer != answerEmpty && answer != answerHoles {
			t.Errorf("a source may answer %s, and nobody knows what that means", answer)
		}
	}
}
