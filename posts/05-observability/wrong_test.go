package main

import (
	"net"
	"strings"
	"testing"
)

// whatCanGoWrong is the post's table of errors.
var whatCanGoWrong = []struct {
	name       string
	fields     string // of the input, other than the example's
	args       []string
	step       string
	kind, code string
	attempts   int
	retryAfter int64 // ms
	charged    string
}{
	{name: "an empty cart", fields: `{"cart_items": []}`, step: "validate_cart", kind: "permanent", code: "EMPTY_CART", attempts: 1},
	{name: "a declined payment", args: []string{"-incident", "declined"}, step: "process_payment", kind: "permanent", code: "PAYMENT_DECLINED", attempts: 1},
	{name: "a declined payment of a customer who said only what they must", fields: `{"customer_tier": null, "payment_method": null}`, args: []string{"-incident", "declined"}, step: "process_payment", kind: "permanent", code: "PAYMENT_DECLINED", attempts: 1},
	{name: "a gateway that stays down", args: []string{"-incident", "down"}, step: "process_payment", kind: "retryable", code: "GATEWAY_UNAVAILABLE", attempts: 3, retryAfter: 15_000},
	{name: "a stock that hangs for good", args: []string{"-incident", "hang"}, step: "update_inventory", kind: "retryable", code: "STEP_TIMEOUT", attempts: 2, charged: "129.97"},
	{name: "a stock without connections", args: []string{"-incident", "pool"}, step: "update_inventory", kind: "retryable", code: "STOCK_UNAVAILABLE", attempts: 2, charged: "129.97"},
	{name: "more than there is", fields: `{"cart_items": [{"sku": "WIDGET-001", "price": 1.00, "quantity": 51}]}`, args: []string{"-incident", "none"}, step: "update_inventory", kind: "permanent", code: "OUT_OF_STOCK", attempts: 1, charged: "51.00"},
	{name: "two lines of a product count together", fields: `{"cart_items": [{"sku": "WIDGET-001", "price": 1.00, "quantity": 30}, {"sku": "WIDGET-001", "price": 1.00, "quantity": 30}]}`, args: []string{"-incident", "none"}, step: "update_inventory", kind: "permanent", code: "OUT_OF_STOCK", attempts: 1, charged: "60.00"},
	{name: "a product that is not there", fields: `{"cart_items": [{"sku": "NOTHING", "price": 1.00, "quantity": 1}]}`, args: []string{"-incident", "none"}, step: "update_inventory", kind: "permanent", code: "OUT_OF_STOCK", attempts: 1, charged: "1.00"},
	{name: "an order that cannot be written", args: []string{"-incident", "none", "-fail", "create_order=permanent"}, step: "create_order", kind: "permanent", code: "INJECTED_FAILURE", attempts: 1, charged: "129.97"},
	{name: "a customer without an address", fields: `{"customer_email": null}`, args: []string{"-incident", "none"}, step: "send_confirmation", kind: "permanent", code: "MISSING_CUSTOMER_EMAIL", attempts: 1, charged: "129.97"},
	{name: "a mailer that stays down", args: []string{"-incident", "mail"}, step: "send_confirmation", kind: "retryable", code: "MAILER_UNAVAILABLE", attempts: 3, retryAfter: 30_000, charged: "129.97"},
}

func TestWhatCanGoWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range whatCanGoWrong {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fields := tt.fields
			if fields == "" {
				fields = `{}`
			}
			o := reader.Report(t, with(t, fields), append([]string{"-env", "test"}, tt.args...)...)
			s := o.Step(tt.step)
			if o.Exit != 1 || len(o.Tasks) != 1 || o.Tasks[0].State != "error" || s.Error == nil {
				t.Fatalf("exit %d, %+v\n%s", o.Exit, s, o.Stderr)
			}
			if s.Error.Kind != tt.kind || s.Error.Code != tt.code || s.Attempts != tt.attempts || s.Error.RetryAfterMS != tt.retryAfter {
				t.Errorf("%s ends by %s %s after %d attempts, retry after %d ms; want %s %s, %d, %d ms",
					tt.step, s.Error.Kind, s.Error.Code, s.Attempts, s.Error.RetryAfterMS, tt.kind, tt.code, tt.attempts, tt.retryAfter)
			}
			n := o.Notes
			charged := tt.charged
			if charged == "" {
				charged = "0.00"
			}
			if n.Charged.String() != charged || n.Refunded != n.Charged || n.Orders != 0 || n.Mails != 0 || n.Stock["WIDGET-001"] != 50 {
				t.Errorf("what is left behind: %+v", n)
			}
			if n.Journal.Earned != 0 || n.Journal.Lost != 12997 || n.Journal.Events[len(n.Journal.Events)-1] != "checkout.failed" {
				t.Errorf("the journal holds %+v", n.Journal)
			}
			counted := 0.0
			for series, value := range n.Metrics {
				if strings.HasPrefix(series, "checkout_failures_total") && strings.Contains(series, `failed_step="`+tt.step+`"`) && strings.Contains(series, `error_type="`+tt.code+`"`) && !strings.Contains(series, "premium") {
					counted += value
				}
			}
			if counted != 1 {
				t.Errorf("it is counted %v times: %v", counted, n.Metrics)
			}
		})
	}
}

func TestAGatewayThatComesBackIsAskedAgainAndChargesOnce(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-incident", "gateway")
	onceOnly(t, o)
	if s := o.Step("process_payment"); s.Attempts != 3 {
		t.Errorf("it took %d attempts, want 3", s.Attempts)
	}
	if got := o.Notes.Metrics[`checkout_payments_total{outcome="retried",payment_method="credit_card"}`]; got != 2 {
		t.Errorf("%v charges count as retried, want 2: %v", got, o.Notes.Metrics)
	}
}

func TestALostAnswerOfEachStepIsHealedWithoutDoingItsWorkTwice(t *testing.T) {
	t.Parallel()
	for _, step := range stepNames {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, string(example), "-env", "test", "-incident", "none", "-fail", step+"=1")
			onceOnly(t, o)
			if o.Step(step).Attempts != 2 {
				t.Errorf("%s took %d attempts", step, o.Step(step).Attempts)
			}
		})
	}
}

func TestInputThatIsRejectedNeverBecomesATask(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, fields string }{
		{"/customer_id", `{"customer_id": null}`},
		{"/order_value", `{"order_value": 1.005}`},
		{"/order_value", `{"order_value": 12345678901234567890}`}, // no amount holds it
		{"/customer_tier", `{"customer_tier": "gold"}`},
		{"/customer_email", `{"customer_email": "nobody"}`},
		{"/payment_method", `{"payment_method": "shells"}`},
		{"/cart_items/0/quantity", `{"cart_items": [{"sku": "WIDGET-001", "price": 1.00, "quantity": 0}]}`},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, with(t, tt.fields), "-env", "test", "-incident", "none")
			if o.Exit != 2 || len(o.Tasks) != 0 || o.Rejected == nil || o.Rejected.Code != "INVALID_INPUT" || o.Rejected.Errors[0].Path != tt.path {
				t.Errorf("%s: exit %d, %d tasks, rejected %+v\n%s", tt.fields, o.Exit, len(o.Tasks), o.Rejected, o.Stderr)
			}
		})
	}
}

func TestWrongUsageIsOneLineAndExitTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-incident", "flood"}, {"-incident"}, {"-serve", "here"}, {"-serve", "localhost:"}, {"-serve", "localhost:99999"}, {"-serve", "localhost:-1"}, {"-otlp", "localhost:4318"}, {"-otlp", "ftp://localhost"},
		{"-hang", "nobody=1s"}, {"-env", "tset"}, {"-task", "ecommerce/process_order"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			if o := reader.Run(t, "", args...); o.Exit != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 {
				t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
			}
		})
	}
}

func TestAnAddressThatIsTakenIsSaidAndNothingIsSubmitted(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	o := reader.Run(t, "", "-serve", other.Addr().String(), "-incident", "none", "-env", "test")
	if o.Exit != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || !strings.Contains(o.Stderr, "-serve "+other.Addr().String()) || !strings.Contains(o.Stderr, "choose another") {
		t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
	}
}

func TestHelpNamesThePostsOwnFlagsAndEveryIncident(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-h")
	for _, word := range []string{"-incident NAME", "-serve ADDR", "-otlp URL", incidentNames()} {
		if o.Exit != 0 || !strings.Contains(o.Stdout, word) {
			t.Errorf("exit %d, the help does not name %s:\n%s", o.Exit, word, o.Stdout)
		}
	}
}
