package customersuccess

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

func codeOf(err error) string {
	var verdict *tasker.Error
	if !errors.As(err, &verdict) {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(verdict.Kind, " ", verdict.Code)
}

func TestTheWindowClosesWithTheLastMomentOfItsLastDay(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	bought := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		tier string
		age  time.Duration
		days int // 0 when it is outside
	}{
		{"standard", 30 * day, 30}, {"standard", 31*day - 1, 30}, {"standard", 31 * day, 0},
		{"gold", 60 * day, 60}, {"gold", 61*day - 1, 60}, {"gold", 61 * day, 0},
		{"premium", 90 * day, 90}, {"premium", 91*day - 1, 90}, {"premium", 91 * day, 0},
		{"a tier that nobody knows", 31*day - 1, 30}, {"a tier that nobody knows", 31 * day, 0},
	} {
		d := New(post.NewWorld())
		d.Now = func() time.Time { return bought.Add(tt.age) }
		checked, err := d.CheckRefundPolicy(t.Context(), policyInput{Amount: 100, Request: ValidRequest{Validated: true, CustomerTier: tt.tier, PurchasedAt: bought}})
		switch {
		case tt.days == 0 && codeOf(err) != "permanent OUTSIDE_REFUND_WINDOW":
			t.Errorf("%s after %v: %v", tt.tier, tt.age, err)
		case tt.days > 0 && (err != nil || checked.DaysSincePurchase != tt.days):
			t.Errorf("%s after %v: %d days, %v", tt.tier, tt.age, checked.DaysSincePurchase, err)
		}
	}
}

func TestTheMaximumIsInside(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	for tier, most := range map[string]money.Cents{"standard": 10000, "gold": 50000, "premium": 100000} {
		request := ValidRequest{Validated: true, CustomerTier: tier, PurchasedAt: time.Now()}
		if _, err := d.CheckRefundPolicy(t.Context(), policyInput{most, request}); err != nil {
			t.Errorf("%s: %v", tier, err)
		}
		if _, err := d.CheckRefundPolicy(t.Context(), policyInput{most + 1, request}); codeOf(err) != "permanent EXCEEDS_AMOUNT_LIMIT" {
			t.Errorf("%s: a cent too much gets %v", tier, err)
		}
	}
}

func TestAHandlerSaysWhichOfItsInputsIsMissing(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	ctx := tasker.WithAttempt(t.Context(), &tasker.Attempt{Step: "step"})
	for _, tt := range []struct {
		code string
		call func(ctx context.Context) error
	}{
		{"MISSING_REQUIRED_FIELDS", func(ctx context.Context) error { _, err := d.ValidateRefundRequest(ctx, requestInput{}); return err }},
		{"MISSING_VALIDATION", func(ctx context.Context) error { _, err := d.CheckRefundPolicy(ctx, policyInput{}); return err }},
		{"MISSING_POLICY_CHECK", func(ctx context.Context) error { _, err := d.GetManagerApproval(ctx, approvalInput{}); return err }},
		{"MISSING_APPROVAL", func(ctx context.Context) error { _, err := d.ExecuteRefundWorkflow(ctx, delegateInput{}); return err }},
		{"MISSING_PAYMENT_ID", func(ctx context.Context) error {
			_, err := d.ExecuteRefundWorkflow(ctx, delegateInput{Approval: ManagerApproval{Obtained: true}})
			return err
		}},
		{"MISSING_DELEGATION", func(ctx context.Context) error { _, err := d.UpdateTicketStatus(ctx, ticketInput{}); return err }},
	} {
		if got := codeOf(tt.call(ctx)); got != "permanent "+tt.code {
			t.Errorf("the verdict is %s, want a permanent %s", got, tt.code)
		}
	}
}

func TestATicketNamesTheSamePaymentOnEachAttempt(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	in := requestInput{TicketID: "ticket_1", CustomerID: "cust_1", Amount: 100}
	first, err := d.ValidateRefundRequest(t.Context(), in)
	if err != nil || first.PaymentID == "" {
		t.Fatal(first, err)
	}
	second, err := d.ValidateRefundRequest(t.Context(), in)
	if err != nil || second.PaymentID != first.PaymentID || second.PurchasedAt != first.PurchasedAt {
		t.Errorf("the second attempt finds %+v, %v, the first %+v", second, err, first)
	}
	in.PaymentID = "pay_named"
	if named, err := d.ValidateRefundRequest(t.Context(), in); err != nil || named.PaymentID != "pay_named" {
		t.Errorf("a payment that is named is %s, %v", named.PaymentID, err)
	}
}
