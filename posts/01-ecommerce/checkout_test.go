package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// order makes an order's context. The cart is product and quantity pairs.
func order(token, amount string, cart ...int) string {
	return customerOrder(`"email": "customer@example.com", "name": "Robin Marsh"`, token, amount, cart...)
}

func customerOrder(customer, token, amount string, cart ...int) string {
	var items []string
	for i := 0; i < len(cart); i += 2 {
		items = append(items, fmt.Sprintf(`{"product_id": %d, "quantity": %d}`, cart[i], cart[i+1]))
	}
	return fmt.Sprintf(`{"cart_items": [%s], "customer_info": {%s}, "payment_info": {"method": "credit_card", "token": %q, "amount": %s}}`,
		strings.Join(items, ", "), customer, token, amount)
}

func TestAGoodOrderIsChargedReservedWrittenAndConfirmed(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	if o.Exit != 0 || o.Tasks[0].State != "complete" {
		t.Fatalf("exit %d, task %s\n%s", o.Exit, o.Tasks[0].State, o.Stderr)
	}
	var names []string
	for _, s := range o.Tasks[0].Steps {
		names = append(names, s.Name)
		if s.State != "complete" || s.Attempts != 1 || s.Error != nil {
			t.Errorf("%s is %s after %d attempts, with error %v", s.Name, s.State, s.Attempts, s.Error)
		}
	}
	if diff := cmp.Diff([]string{"validate_cart", "process_payment", "update_inventory", "create_order", "send_confirmation"}, names); diff != "" {
		t.Errorf("the steps are not in the template's order:\n%s", diff)
	}
	for field, want := range map[string]string{"subtotal": "109.97", "tax": "8.80", "shipping": "5.99", "total": "124.76", "item_count": "2"} {
		if got := o.Result(t, "validate_cart", field); got != want {
			t.Errorf("the cart's %s is %s, want %s", field, got, want)
		}
	}
	if got := o.Result(t, "process_payment", "amount_charged"); got != "124.76" {
		t.Errorf("charged %s, want 124.76", got)
	}
	if got := o.Result(t, "update_inventory", "total_items_reserved"); got != "3" {
		t.Errorf("%s items are reserved, want 3", got)
	}
	if got := o.Result(t, "send_confirmation", "recipient"); got != `"customer@example.com"` {
		t.Errorf("the confirmation goes to %s", got)
	}
	if n := o.Notes; n.Charges != 1 || n.Charged != "124.76" || n.GatewayCalls != 1 || n.Orders != 1 || n.Mails != 1 || n.Stock["1"] != 98 || n.Stock["2"] != 49 {
		t.Errorf("what is left behind: %+v", n)
	}
}

func TestTheFeesAreInTheMetadataOfThePayment(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	var metadata struct {
		Hints struct {
			Fees map[string]json.Number `json:"fees"`
		} `json:"execution_hints"`
		Headers map[string]string `json:"http_headers"`
	}
	if err := json.Unmarshal(o.Step("process_payment").Metadata, &metadata); err != nil {
		t.Fatal(err)
	}
	want := map[string]json.Number{"processing_fee": "3.62", "fixed_fee": "0.30", "total_fees": "3.92"}
	if diff := cmp.Diff(want, metadata.Hints.Fees); diff != "" {
		t.Errorf("the fees differ:\n%s", diff)
	}
	if id := metadata.Headers["X-Payment-ID"]; !strings.HasPrefix(id, "pay_") || len(id) != len("pay_")+24 {
		t.Errorf("the payment's id is %q", id)
	}
}

func TestEachStepNotesWhatItDidAndByWhichService(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	for _, tt := range []struct{ step, operation, header, service string }{
		{"validate_cart", "validate_cart", "", ""},
		{"process_payment", "process_payment", "X-Payment-Gateway", "SimulatedPaymentService"},
		{"update_inventory", "update_inventory", "X-Inventory-Service", "MockInventoryService"},
		{"create_order", "create_order", "X-Order-Service", "OrderManagement"},
		{"send_confirmation", "send_confirmation_email", "X-Email-Service", "MockEmailService"},
	} {
		var notes struct {
			Operation string            `json:"operation"`
			Headers   map[string]string `json:"http_headers"`
		}
		if err := json.Unmarshal(o.Step(tt.step).Metadata, &notes); err != nil {
			t.Fatal(err)
		}
		if notes.Operation != tt.operation || notes.Headers[tt.header] != tt.service {
			t.Errorf("%s notes %+v, want %s by %s", tt.step, notes, tt.operation, tt.service)
		}
	}
}

func TestInputThatIsRejectedNeverBecomesATask(t *testing.T) {
	t.Parallel()
	good := order("tok_test_valid", "38.38", 1, 1)
	tests := []struct{ name, input, path string }{
		{"an empty cart", order("tok_test_valid", "38.38"), "/cart_items"},
		{"a quantity of nothing", order("tok_test_valid", "38.38", 1, 0), "/cart_items/0/quantity"},
		{"no product", strings.Replace(good, `"product_id": 1, `, "", 1), "/cart_items/0/product_id"},
		{"a bad address", strings.Replace(good, "customer@example.com", "nobody", 1), "/customer_info/email"},
		{"an address of nobody", strings.Replace(good, "customer@example.com", "@example.com", 1), "/customer_info/email"},
		{"no address", strings.Replace(good, "customer@example.com", "", 1), "/customer_info/email"},
		{"an address in two words", strings.Replace(good, "customer@example.com", `\"a b\"@example.com`, 1), "/customer_info/email"},
		{"an address with two @", strings.Replace(good, "customer@example.com", `\"a@b\"@example.com`, 1), "/customer_info/email"},
		{"no customer", strings.Replace(good, `"customer_info"`, `"somebody"`, 1), "/customer_info"},
		{"no token", strings.Replace(good, `"token"`, `"tokens"`, 1), "/payment_info/token"},
		{"a tier that is not sold", strings.Replace(good, `"name": "Robin Marsh"`, `"name": "R", "tier": "gold"`, 1), "/customer_info/tier"},
		{"half a cent", strings.Replace(good, "38.38", "38.385", 1), "/payment_info/amount"},
		{"more money than there is", strings.Replace(good, "38.38", "1e30", 1), "/payment_info/amount"},
		{"a quantity that no number holds", strings.Replace(good, `"quantity": 1`, `"quantity": 9223372036854775808`, 1), "/cart_items/0/quantity"},
		{"a product that no number holds", strings.Replace(good, `"product_id": 1`, `"product_id": 1e30`, 1), "/cart_items/0/product_id"},
		{"text that no store keeps", strings.Replace(good, "Robin", `\u0000`, 1), "/customer_info/name"},
		{"no JSON", `{"cart_items": [`, ""},
		{"a list", `[]`, ""},
		{"nothing", ``, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, tt.input, "-env", "test")
			if o.Exit != 2 || len(o.Tasks) != 0 || o.Rejected == nil || o.Rejected.Code != "INVALID_INPUT" {
				t.Fatalf("exit %d, %d tasks, rejected %+v\n%s", o.Exit, len(o.Tasks), o.Rejected, o.Stderr)
			}
			if len(o.Rejected.Errors) != 1 || o.Rejected.Errors[0].Path != tt.path || o.Rejected.Errors[0].Message == "" {
				t.Errorf("the violations are %+v, want one at %q", o.Rejected.Errors, tt.path)
			}
			if o.Stderr == "" {
				t.Error("standard error says nothing")
			}
		})
	}
}

func TestAWholeNumberMayBeWrittenWithAFraction(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, strings.Replace(order("tok_test_valid", "7.077e1", 1, 2), `"product_id": 1, "quantity": 2`, `"product_id": 1.0, "quantity": 0.2e1`, 1), "-env", "test")
	if o.Exit != 0 || o.Notes.Charged != "70.77" {
		t.Errorf("exit %d, charged %s\n%s", o.Exit, o.Notes.Charged, o.Stderr)
	}
}

func TestATimeoutAfterTheChargeIsHealedByTheKey(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, order("tok_simulate_timeout", "38.38", 1, 1), "-env", "test")
	if o.Exit != 0 {
		t.Fatalf("exit %d: %s", o.Exit, o.Stderr)
	}
	if s := o.Step("process_payment"); s.Attempts != 3 || s.Error != nil {
		t.Errorf("process_payment took %d attempts and keeps the error %v, want 3 and none", s.Attempts, s.Error)
	}
	if o.Notes.Charges != 1 || o.Notes.GatewayCalls != 3 || o.Notes.Charged != "38.38" {
		t.Errorf("the gateway saw %d calls and made %d charges of %s in all", o.Notes.GatewayCalls, o.Notes.Charges, o.Notes.Charged)
	}
}

func TestACustomerWhoClicksTwiceHasOneOrder(t *testing.T) {
	t.Parallel()
	for store, where := range map[string][]string{"memory": nil, "postgres": {"-db", taskertest.Database(t)}} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			args := append(where, "-env", "test", "-n", "2")
			once := reader.Report(t, order(tokenTimeout, "38.38", 1, 1), append(args, "-key", "cart-4711")...)
			if n := once.Notes; len(once.Tasks) != 1 || n.Charges != 1 || n.GatewayCalls != 3 || n.Orders != 1 {
				t.Errorf("with a key there are %d tasks, %d charges by %d calls and %d orders", len(once.Tasks), n.Charges, n.GatewayCalls, n.Orders)
			}
			if twice := reader.Report(t, order(tokenTimeout, "38.38", 1, 1), args...); len(twice.Tasks) != 2 {
				t.Errorf("without a key there are %d tasks, and two clicks are two orders", len(twice.Tasks))
			}
		})
	}
}

func TestPremiumCustomersGoFirst(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, customerOrder(`"email": "premium@example.com", "name": "P", "tier": "premium"`, "tok_test_premium", "38.38", 1, 1))
	var context map[string]any
	if err := json.Unmarshal(o.Tasks[0].Context, &context); err != nil {
		t.Fatal(err)
	}
	if context["processing_priority"] != "high" || context["expedited_shipping"] != true || o.Exit != 0 {
		t.Errorf("exit %d, the context is %v", o.Exit, context)
	}
}

func TestLostAnswersAreAskedForAgainAndChargeOnce(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-fail", "process_payment=2")
	if o.Exit != 0 || strings.Count(o.Stdout, "ANSWER_LOST") != 2 {
		t.Fatalf("exit %d:\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	if !strings.Contains(o.Stdout, "1 charge by 3 calls") {
		t.Errorf("the summary does not say that three calls made one charge:\n%s", o.Stdout)
	}
	var waits []time.Duration
	for _, line := range strings.Split(o.Stdout, "\n") {
		if _, rest, ok := strings.Cut(line, "the next in "); ok {
			wait, _, _ := strings.Cut(rest, ":")
			d, err := time.ParseDuration(wait)
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, d)
		}
	}
	if len(waits) != 2 || waits[1] <= waits[0] {
		t.Errorf("the waits are %v, want two that grow", waits)
	}
}

func TestEveryStepSurvivesALostAnswerWithoutDoingItsWorkTwice(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"validate_cart", "process_payment", "update_inventory", "create_order", "send_confirmation"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, string(example), "-env", "test", "-fail", step+"=1")
			if o.Exit != 0 || o.Step(step).Attempts != 2 {
				t.Fatalf("exit %d, %d attempts\n%s", o.Exit, o.Step(step).Attempts, o.Stderr)
			}
			if n := o.Notes; n.Charges != 1 || n.Orders != 1 || n.Mails != 1 || n.Stock["1"] != 98 || n.Stock["2"] != 49 {
				t.Errorf("what is left behind: %+v", n)
			}
		})
	}
}

func TestAHandlerThatHangsIsCutOffAndTriedAgain(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-hang", "process_payment=50ms")
	if o.Exit != 0 || o.Step("process_payment").Attempts != 1 {
		t.Errorf("a short hang: exit %d, %d attempts", o.Exit, o.Step("process_payment").Attempts)
	}
}

func TestManyOrdersEachHaveAWorldOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, order("tok_test_valid", "3253.91", 1, 100), "-n", "50")
	if o.Exit != 0 || len(o.Tasks) != 50 {
		t.Fatalf("exit %d, %d tasks\n%s", o.Exit, len(o.Tasks), o.Stderr)
	}
	if o.Notes.Stock["1"] != 0 || o.Notes.Charges != 1 {
		t.Errorf("the first world is left with %+v", o.Notes)
	}
}

func TestWrongUsageIsOneLineAndExitTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-nonsense"}, {"-n", "0"}, {"-n", "many"}, {"surplus"},
		{"-fail", "process_payment"}, {"-fail", "process_paymen=1"}, {"-fail", "process_payment=0"}, {"-fail", "process_payment=often"},
		{"-hang", "process_payment"}, {"-hang", "nobody=1s"}, {"-hang", "process_payment=long"},
		{"-env", "tset"}, {"-task", "ecommerce/nothing"}, {"-task", "ecommerce/process_order@9.9.9"},
		{"-input", "no-such-file.json"}, {"-db", "mysql"}, {"-crash-after", "create_order"}, {"-keep"},
		{"-db", "postgres", "-crash-after", "nobody"}, {"-db", "postgres://localhost/shop", "-keep"},
		{"-db", "postgres://shop:secret@localhost:port/shop"}, {"-db", "postgres://shop:sec%ret@localhost/shop"},
		{"-db", "postgres://shop:secret@localhost/shop?sslmode=never"}, {"-db", "mysql://shop:secret@localhost/shop"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			o := reader.Run(t, "", args...)
			if o.Exit != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || !strings.HasPrefix(o.Stderr, "01-ecommerce: ") || strings.Contains(o.Stderr, "sec") {
				t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
			}
		})
	}
}

func TestHelpGoesToStandardOutputAndNamesEveryFlag(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-h")
	if o.Exit != 0 || o.Stderr != "" {
		t.Errorf("exit %d, stderr %q", o.Exit, o.Stderr)
	}
	for _, flag := range []string{"-input", "-task", "-json", "-db", "-env", "-n ", "-fail", "-hang", "-crash-after", "-keep"} {
		if !strings.Contains(o.Stdout, flag) {
			t.Errorf("the help does not name %s", flag)
		}
	}
}

func TestPipedOutputHasNoEscapeCodesAndEndsWithOneSuggestion(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "")
	if strings.Contains(o.Stdout, "\x1b") {
		t.Errorf("there are escape codes in:\n%q", o.Stdout)
	}
	lines := strings.Split(strings.TrimSpace(o.Stdout), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "Next: go run ./posts/01-ecommerce ") || strings.Count(o.Stdout, "Next:") != 1 {
		t.Errorf("the last line is %q", last)
	}
}

func TestTheSameOrderGivesTheSameIDsOnEveryAttempt(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "test", "-fail", "process_payment=2", "-fail", "create_order=2")
	if got := o.Result(t, "create_order", "order_number"); !strings.HasPrefix(got, `"ORD-`) {
		t.Errorf("the order's number is %s", got)
	}
	if o.Notes.Orders != 1 || o.Notes.Charges != 1 {
		t.Errorf("three attempts made %d orders and %d charges", o.Notes.Orders, o.Notes.Charges)
	}
}
