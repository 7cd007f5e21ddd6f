package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whatEachStepFinds are the page's figures for the whole of November.
var whatEachStepFinds = map[string]string{
	"extract_sales_data": `{
		"total_amount": 3199.73, "source": "SalesDatabase", "date_range": {"start_date": "2025-11-01", "end_date": "2025-11-18"}}`,
	"extract_inventory_data": `{
		"total_quantity": 815, "source": "InventorySystem", "warehouses": ["WH-01", "WH-02", "WH-03"], "products_tracked": 5}`,
	"extract_customer_data": `{
		"total_customers": 5, "source": "CRMSystem", "total_lifetime_value": 30500.00, "avg_lifetime_value": 6100.00,
		"tier_breakdown": {"gold": 2, "premium": 1, "silver": 1, "standard": 1}}`,
	"transform_sales": `{
		"record_count": 5, "total_revenue": 3199.73, "transformation_type": "sales_analytics", "source": "extract_sales_data",
		"daily_sales": {
			"2025-11-01": {"total_amount": 499.95, "order_count": 1, "avg_order_value": 499.95},
			"2025-11-05": {"total_amount": 299.97, "order_count": 1, "avg_order_value": 299.97},
			"2025-11-10": {"total_amount": 199.98, "order_count": 1, "avg_order_value": 199.98},
			"2025-11-15": {"total_amount": 1499.90, "order_count": 1, "avg_order_value": 1499.90},
			"2025-11-18": {"total_amount": 699.93, "order_count": 1, "avg_order_value": 699.93}},
		"product_sales": {
			"PROD-A": {"total_quantity": 7, "total_revenue": 699.93, "order_count": 2},
			"PROD-B": {"total_quantity": 10, "total_revenue": 999.90, "order_count": 2},
			"PROD-C": {"total_quantity": 10, "total_revenue": 1499.90, "order_count": 1}}}`,
	"transform_inventory": `{
		"record_count": 8, "total_quantity_on_hand": 815, "reorder_alerts": 0,
		"transformation_type": "inventory_analytics", "source": "extract_inventory_data",
		"warehouse_summary": {
			"WH-01": {"total_quantity": 305, "product_count": 3, "reorder_alerts": 0},
			"WH-02": {"total_quantity": 420, "product_count": 3, "reorder_alerts": 0},
			"WH-03": {"total_quantity": 90, "product_count": 2, "reorder_alerts": 0}},
		"product_inventory": {
			"PROD-A": {"total_quantity": 250, "warehouse_count": 2, "needs_reorder": false},
			"PROD-B": {"total_quantity": 125, "warehouse_count": 2, "needs_reorder": false},
			"PROD-C": {"total_quantity": 200, "warehouse_count": 1, "needs_reorder": false},
			"PROD-D": {"total_quantity": 120, "warehouse_count": 2, "needs_reorder": false},
			"PROD-E": {"total_quantity": 120, "warehouse_count": 1, "needs_reorder": false}}}`,
	"transform_customers": `{
		"record_count": 5, "total_lifetime_value": 30500.00, "avg_customer_value": 6100.00,
		"transformation_type": "customer_analytics", "source": "extract_customer_data",
		"value_segments": {"high_value": 1, "medium_value": 3, "low_value": 1},
		"tier_analysis": {
			"gold": {"customer_count": 2, "total_lifetime_value": 12500.00, "avg_lifetime_value": 6250.00},
			"premium": {"customer_count": 1, "total_lifetime_value": 15000.00, "avg_lifetime_value": 15000.00},
			"silver": {"customer_count": 1, "total_lifetime_value": 2500.00, "avg_lifetime_value": 2500.00},
			"standard": {"customer_count": 1, "total_lifetime_value": 500.00, "avg_lifetime_value": 500.00}}}`,
	"aggregate_metrics": `{
		"total_revenue": 3199.73, "total_inventory_quantity": 815, "total_customers": 5, "total_customer_lifetime_value": 30500.00,
		"sales_transactions": 5, "inventory_reorder_alerts": 0, "revenue_per_customer": 639.95,
		"inventory_turnover_indicator": 3.926, "aggregation_complete": true, "sources_included": 3}`,
	"generate_insights": `{
		"health_score": {"score": 100, "max_score": 100, "rating": "Excellent"}, "total_metrics_analyzed": 10,
		"pipeline_complete": true, "published_as": "november/2025-11-01..2025-11-30",
		"insights": [
			{"category": "Revenue", "metric": 639.95, "finding": "5 customers brought 3199.73 USD",
			 "recommendation": "Customers spend well: keep them coming back"},
			{"category": "Inventory", "metric": 0, "finding": "No product is short",
			 "recommendation": "Stock is healthy: nothing to do"},
			{"category": "Customer Value", "metric": 6100.00, "finding": "A customer is worth 6100.00 USD on average",
			 "recommendation": "Retention pays: look after the customers there are"}]}`,
}

// sameFigures holds the fields of a result to the wanted ones; a result may
// have more. Amounts are compared as they are written.
func sameFigures(t *testing.T, step, want string, result json.RawMessage) {
	t.Helper()
	var wanted, got map[string]any
	for text, into := range map[string]*map[string]any{want: &wanted, string(result): &got} {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, text)
		}
	}
	for field := range wanted {
		if diff := cmp.Diff(wanted[field], got[field]); diff != "" {
			t.Errorf("%s of %s differs (- wanted, + found):\n%s", field, step, diff)
		}
	}
}

func TestEveryStepFindsWhatTheHandArithmeticDoes(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		o := reader.Report(t, string(example), where...)
		published(t, o)
		var names []string
		for _, s := range o.Tasks[0].Steps {
			names = append(names, s.Name)
			if s.Attempts != 1 {
				t.Errorf("%s took %d attempts", s.Name, s.Attempts)
			}
			sameFigures(t, s.Name, whatEachStepFinds[s.Name], s.Result)
		}
		if diff := cmp.Diff(stepNames, names); diff != "" {
			t.Errorf("the steps are not in the template's order:\n%s", diff)
		}
		if o.Took > 3*time.Second {
			t.Errorf("it took %v", o.Took)
		}
	})
}

func TestExtractsHandOnTheirRowsAndAReferenceToThem(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test")
	for step, rows := range map[string]int{"extract_sales_data": 5, "extract_inventory_data": 8, "extract_customer_data": 5} {
		var extract struct {
			Records []json.RawMessage `json:"records"`
			Stored  Object            `json:"stored"`
		}
		if err := json.Unmarshal(o.Step(step).Result, &extract); err != nil {
			t.Fatal(err)
		}
		prefix := "november/2025-11-01..2025-11-30/" + readBy[step] + "-"
		if len(extract.Records) != rows || extract.Stored.Rows != rows || len(extract.Stored.Checksum) != 64 || !strings.HasPrefix(extract.Stored.Key, prefix) {
			t.Errorf("%s hands on %d rows and the reference %+v", step, len(extract.Records), extract.Stored)
		}
	}
}

func TestTheStepsSayBesideTheirResultsWhatTheyDid(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test")
	for _, want := range []struct{ step, field, value string }{
		{"extract_sales_data", "operation", `"extract_sales"`},
		{"extract_sales_data", "records_extracted", `5`},
		{"extract_inventory_data", "operation", `"extract_inventory"`},
		{"extract_inventory_data", "source", `"InventorySystem"`},
		{"extract_customer_data", "operation", `"extract_customers"`},
		{"transform_customers", "records_transformed", `5`},
		{"aggregate_metrics", "sources_aggregated", `3`},
		{"generate_insights", "source_step", `"aggregate_metrics"`},
		{"generate_insights", "insights_generated", `3`},
	} {
		if got := o.Metadata(t, want.step, want.field); got != want.value {
			t.Errorf("%s of %s is %s, want %s", want.field, want.step, got, want.value)
		}
	}
}

func TestOnlyTheDaysAskedForCountAndBothEndsDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, start, end                          string
		orders, revenue, perCustomer, turnover    string
		score, rating, insights, firstOrder, last string
	}{
		{"up to the tenth", "2025-11-01", "2025-11-10", "3", "999.90", "199.98", "1.2269", "60", "Good", "3", "2025-11-01", "2025-11-10"},
		{"up to the day before", "2025-11-01", "2025-11-09", "2", "799.92", "159.98", "0.9815", "60", "Good", "3", "2025-11-01", "2025-11-05"},
		{"one day", "2025-11-18", "2025-11-18", "1", "699.93", "139.99", "0.8588", "60", "Good", "3", "2025-11-18", "2025-11-18"},
		{"days without sales", "2024-01-01", "2024-12-31", "0", "0.00", "0.00", "0", "60", "Good", "2", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, days(tt.start, tt.end), "-env", "test")
			if o.Exit != 0 {
				t.Fatalf("exit %d\n%s", o.Exit, o.Stderr)
			}
			for field, want := range map[string]string{
				"sales_transactions": tt.orders, "total_revenue": tt.revenue, "revenue_per_customer": tt.perCustomer,
				"inventory_turnover_indicator": tt.turnover, "total_customers": "5", "total_inventory_quantity": "815",
			} {
				if got := o.Result(t, "aggregate_metrics", field); got != want {
					t.Errorf("%s is %s, want %s", field, got, want)
				}
			}
			var insights Insights
			if err := json.Unmarshal(o.Step("generate_insights").Result, &insights); err != nil {
				t.Fatal(err)
			}
			if got := insights.Health; json.Number(tt.score) != number(got.Score) || got.Rating != tt.rating || json.Number(tt.insights) != number(len(insights.Insights)) {
				t.Errorf("%d insights and a health of %+v, want %s and %s %s", len(insights.Insights), got, tt.insights, tt.score, tt.rating)
			}
			want := "null"
			if tt.firstOrder != "" {
				want = `{"start_date":"` + tt.firstOrder + `","end_date":"` + tt.last + `"}`
			}
			if got := compact(o.Result(t, "extract_sales_data", "date_range")); got != want {
				t.Errorf("the rows are of %s, want %s", got, want)
			}
			if got := o.Result(t, "generate_insights", "published_as"); got != `"analytics_`+tt.start+`_`+tt.end+`/`+tt.start+`..`+tt.end+`"` {
				t.Errorf("a run without an id is published as %s", got)
			}
		})
	}
}

func number(n int) json.Number { b, _ := json.Marshal(n); return json.Number(b) }

func compact(text string) string {
	return strings.NewReplacer("\n", "", " ", "").Replace(text)
}

func TestARequestThatIsRefusedNeverBecomesATask(t *testing.T) {
	t.Parallel()
	good := november("p")
	thresholds := func(t string) string {
		return strings.Replace(good, `"pipeline_id"`, `"quality_thresholds": `+t+`, "pipeline_id"`, 1)
	}
	tests := []struct{ name, input, code, path string }{
		{"no window", `{}`, "INVALID_INPUT", "/date_range"},
		{"no start", `{"date_range": {"end_date": "2025-11-30"}}`, "INVALID_INPUT", "/date_range/start_date"},
		{"no end", `{"date_range": {"start_date": "2025-11-30"}}`, "INVALID_INPUT", "/date_range/end_date"},
		{"a day that there is not", days("2025-02-30", "2025-11-30"), "INVALID_INPUT", "/date_range/start_date"},
		{"a day by another custom", days("2025-11-01", "30.11.2025"), "INVALID_INPUT", "/date_range/end_date"},
		{"a window that ends before it begins", days("2025-11-02", "2025-11-01"), "INVALID_DATE_RANGE", ""},
		{"an id that is a path", november("a/b"), "INVALID_INPUT", "/pipeline_id"},
		{"an empty id", november(""), "INVALID_INPUT", "/pipeline_id"},
		{"a threshold that nobody knows", thresholds(`{"min_orders": 1}`), "INVALID_INPUT", "/quality_thresholds"},
		{"less than nothing", thresholds(`{"min_order_records": -1}`), "INVALID_INPUT", "/quality_thresholds/min_order_records"},
		{"more rows than there can be", thresholds(`{"min_customer_records": 1e30}`), "INVALID_INPUT", "/quality_thresholds/min_customer_records"},
		{"more than all", thresholds(`{"max_null_share": 1.5}`), "INVALID_INPUT", "/quality_thresholds/max_null_share"},
		{"a list", `[]`, "INVALID_INPUT", ""},
		{"half a document", `{"date_range": {`, "INVALID_INPUT", ""},
	}
	onBothStores(t, func(t *testing.T, where ...string) {
		for _, tt := range tests {
			o := reader.Report(t, tt.input, append(where, "-env", "test")...)
			if o.Exit != 2 || len(o.Tasks) != 0 || o.Rejected == nil || o.Rejected.Code != tt.code {
				t.Errorf("%s: exit %d, %d tasks, rejected %+v\n%s", tt.name, o.Exit, len(o.Tasks), o.Rejected, o.Stderr)
				continue
			}
			if errs := o.Rejected.Errors; len(errs) != 1 || errs[0].Path != tt.path || errs[0].Message == "" || o.Stderr == "" {
				t.Errorf("%s: the violations are %+v, want one at %q; standard error says %q", tt.name, errs, tt.path, o.Stderr)
			}
		}
	})
}

func TestWrongUsageIsOneLineAndExitTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-source", "crm"}, {"-source", "erp=503"}, {"-source", "crm=teapot"}, {"-source", "crm=503x0"}, {"-source", "crm=503xmany"},
		{"-source", "crm=503x-1"}, {"-source", ""}, {"-monitor", "asleep"}, {"-monitor", ""},
		{"-fail", "extract_sales=1"}, {"-hang", "undo:extract_sales_data=1s"}, {"-crash-after", "transform_sales"}, {"-task", "data_pipeline/nothing"},
		{"-input", "no-such-file.json"}, {"-env", "tset"}, {"-n", "0"}, {"surplus"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			o := reader.Run(t, "", args...)
			if o.Exit != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || !strings.HasPrefix(o.Stderr, "02-data-pipeline: ") {
				t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
			}
		})
	}
}

func TestHelpNamesThePostsOwnFlagsAndEveryAnswer(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-h")
	if o.Exit != 0 || o.Stderr != "" {
		t.Errorf("exit %d, stderr %q", o.Exit, o.Stderr)
	}
	for _, want := range []string{"-source NAME=ANSWER[xN]", "-monitor FAULT", answerNames()} {
		if !strings.Contains(o.Stdout, want) {
			t.Errorf("the help does not say %q:\n%s", want, o.Stdout)
		}
	}
}

func TestOfManyRunsTheOneThatPublishedLastShowsThePage(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test", "-n", "3")
	if got := strings.Count(o.Stdout, "\n  page november/"); o.Exit != 0 || got != 1 {
		t.Errorf("exit %d, the page is shown %d times, want once:\n%s", o.Exit, got, o.Stdout)
	}
}

func TestTheTimelineShowsTheAttemptsAndTheSummaryWhatTheyWereFor(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test", "-source", "crm=503x2")
	for _, want := range []string{
		"attempt 1 failed, the next in 20ms: CRM_UNAVAILABLE: crm answers 503 Service Unavailable",
		"attempt 2 failed, the next in 20ms: CRM_UNAVAILABLE",
		"8 steps, 10 attempts",
		"sales took 1 read, inventory 1 read, the CRM 3 reads",
		"in a row the steps would take ", " saved\n",
		"the dashboard has 1 page, by 1 publication",
		"\n  page november/2025-11-01..2025-11-30: Excellent, 100 of 100\n    Revenue         5 customers brought 3199.73 USD\n",
		"\n    Customer Value  A customer is worth 6100.00 USD on average\n",
		"\nNext: go run ./posts/02-data-pipeline ",
	} {
		if !strings.Contains(o.Stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, o.Stdout)
		}
	}
	if strings.Contains(o.Stdout, "\x1b") || o.Exit != 0 || strings.Contains(o.Stdout, "a phone rings") {
		t.Errorf("exit %d, want 0, no escape codes and nobody woken for what heals:\n%q", o.Exit, o.Stdout)
	}
}
