package customersuccess

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/payments"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// paymentsSchema is the input schema of the version to which this team's
// template is pinned, as payments deploys it.
func paymentsSchema(t *testing.T) *template.Schema {
	t.Helper()
	ours, err := template.Load(Templates, "templates/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := template.Load(payments.Templates, "templates/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	target := ours[0].Step("execute_refund_workflow").Handler.Initialization
	pinned := target["target_namespace"].(string) + "/" + target["target_workflow"].(string) + "@" + target["target_version"].(string)
	i := slices.IndexFunc(theirs, func(t *template.Template) bool { return t.String() == pinned })
	if i < 0 {
		t.Fatalf("payments does not deploy %s any more", pinned)
	}
	return theirs[i].InputSchema
}

func TestWhateverACustomerSaysPaymentsTakesTheRequest(t *testing.T) {
	t.Parallel()
	schema := paymentsSchema(t)
	keeps := func(text, mailbox, ticket string, amount uint16, approved bool) bool {
		in := delegateInput{
			Amount: money.Cents(amount) + 1, Reason: text, Email: mailbox + "@example.com", CorrelationID: "cs-1",
			Request: ValidRequest{TicketID: ticket, PaymentID: paymentOf(strings.ReplaceAll(ticket, "no_payment", ""))},
		}
		if approved {
			id := "appr_1"
			in.Approval.ApprovalID = &id
		}
		request, err := json.Marshal(in.request())
		if err != nil {
			t.Fatal(err)
		}
		violations := schema.Check(request)
		for _, v := range violations {
			t.Errorf("payments refuses %s: %s %s", request, v.Path, v.Message)
		}
		return len(violations) == 0
	}
	texts := []string{"", "Product defective", "FRAUD", "I'll file a chargeback", "charged twice", "null", "日本語", "'; drop table refunds"}
	for _, r := range reasons {
		texts = append(texts, r, strings.ToUpper(r), "because of "+r+"!")
	}
	for _, text := range texts {
		keeps(text, "customer", "ticket_1", 4998, true)
		keeps(text, "", "", 0, false)
	}
	if err := quick.Check(keeps, nil); err != nil {
		t.Error(err)
	}
}

func TestARequestWithoutAnAddressIsOneThatPaymentsRefuses(t *testing.T) {
	t.Parallel()
	in := delegateInput{Amount: 1, Request: ValidRequest{PaymentID: "pay_1"}, CorrelationID: "cs-1"}
	raw, _ := json.Marshal(in.request())
	violations := paymentsSchema(t).Check(raw)
	if len(violations) != 1 || violations[0].Path != "/customer_email" {
		t.Errorf("the violations of %s are %v, want one of the missing address", raw, violations)
	}
}

func TestPaymentsReasonsAreThoseThatAnAgentMayPick(t *testing.T) {
	t.Parallel()
	theirs, _ := paymentsSchema(t).Property("refund_reason")
	if fmt.Sprint(theirs["enum"]) != fmt.Sprint(reasons) {
		t.Errorf("an agent may pick %v, and payments knows %v", reasons, theirs["enum"])
	}
}

func TestEveryFieldOfTheRequestIsOneThatPaymentsDeclares(t *testing.T) {
	t.Parallel()
	declared := paymentsSchema(t).Names()
	for field := range reflect.TypeFor[RefundRequest]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !slices.Contains(declared, name) {
			t.Errorf("payments declares no %s; it has %v", name, declared)
		}
	}
}

func TestAPaymentIDAndAnAmountThatThisTeamTakesAreSuchThatPaymentsTakesThem(t *testing.T) {
	t.Parallel()
	ours, err := template.Load(Templates, "templates/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for field, limit := range map[string]string{"payment_id": "pattern", "refund_amount": "maximum"} {
		mine, _ := ours[0].InputSchema.Property(field)
		theirs, _ := paymentsSchema(t).Property(field)
		if mine[limit] != theirs[limit] || mine[limit] == nil {
			t.Errorf("%s: this team takes a %s of %v, payments of %v", field, limit, mine[limit], theirs[limit])
		}
	}
}

func TestAFreeTextIsNoReasonThatPaymentsKnows(t *testing.T) {
	t.Parallel()
	raw, _ := json.Marshal(RefundRequest{
		PaymentID: "pay_1", Amount: 1, Currency: "USD", Reason: "Product defective", CustomerEmail: "customer@example.com",
	})
	violations := paymentsSchema(t).Check(raw)
	if len(violations) != 1 || violations[0].Path != "/refund_reason" {
		t.Errorf("the violations are %v; the contract would not hold anything", violations)
	}
}
