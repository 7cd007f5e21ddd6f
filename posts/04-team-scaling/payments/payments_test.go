package payments

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// refundContext is what a step of the nth refund of one world is given.
func refundContext(t *testing.T, n int, step string) context.Context {
	t.Helper()
	id := func(last string) tasker.ID {
		id, err := tasker.ParseID("0192f4e2-7c1a-7b3d-9e58-3c2f1a0b" + last)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	return tasker.WithAttempt(t.Context(), &tasker.Attempt{TaskID: id(fmt.Sprintf("%04d", n)), RootID: id("0000"), Step: step, Number: 1})
}

func codeOf(err error) string {
	var verdict *tasker.Error
	if !errors.As(err, &verdict) {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(verdict.Kind, " ", verdict.Code)
}

func TestAHandlerSaysWhichOfItsInputsIsMissing(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	done := GatewayRefund{Processed: true}
	for _, tt := range []struct {
		code string
		call func(ctx context.Context) error
	}{
		{"MISSING_REQUIRED_FIELDS", func(ctx context.Context) error {
			_, err := d.ValidatePaymentEligibility(ctx, eligibilityInput{Amount: 1})
			return err
		}},
		{"MISSING_REQUIRED_FIELDS", func(ctx context.Context) error {
			_, err := d.ValidatePaymentEligibility(ctx, eligibilityInput{PaymentID: "pay_1"})
			return err
		}},
		{"INVALID_REFUND_AMOUNT", func(ctx context.Context) error {
			_, err := d.ValidatePaymentEligibility(ctx, eligibilityInput{PaymentID: "pay_1", Amount: -1})
			return err
		}},
		{"INVALID_PAYMENT_ID", func(ctx context.Context) error {
			_, err := d.ValidatePaymentEligibility(ctx, eligibilityInput{PaymentID: "payment", Amount: 1})
			return err
		}},
		{"MISSING_VALIDATION", func(ctx context.Context) error { _, err := d.ProcessGatewayRefund(ctx, refundInput{}); return err }},
		{"MISSING_REFUND", func(ctx context.Context) error { _, err := d.UpdatePaymentRecords(ctx, recordsInput{}); return err }},
		{"MISSING_REFUND", func(ctx context.Context) error {
			_, err := d.NotifyCustomer(ctx, notifyInput{Email: "a@b"})
			return err
		}},
		{"MISSING_CUSTOMER_EMAIL", func(ctx context.Context) error {
			_, err := d.NotifyCustomer(ctx, notifyInput{Refund: done})
			return err
		}},
		{"INVALID_EMAIL_FORMAT", func(ctx context.Context) error {
			_, err := d.NotifyCustomer(ctx, notifyInput{"nobody", done})
			return err
		}},
	} {
		if got := codeOf(tt.call(refundContext(t, 1, "step"))); got != "permanent "+tt.code {
			t.Errorf("the verdict is %s, want a permanent %s", got, tt.code)
		}
	}
}

// refund takes one refund through the two steps that move money.
func (d *Desk) refund(t *testing.T, n int, payment string, amount money.Cents) error {
	t.Helper()
	eligible, err := d.ValidatePaymentEligibility(refundContext(t, n, "validate"), eligibilityInput{payment, amount})
	if err != nil {
		return err
	}
	_, err = d.ProcessGatewayRefund(refundContext(t, n, "process"), refundInput{Payment: eligible})
	return err
}

func TestSeveralRefundsOfAPaymentTogetherDoNotExceedIt(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	for i, step := range []struct {
		payment string
		amount  money.Cents
		want    string
	}{
		{"pay_test_12345abc", 6000, "permanent REFUND_EXCEEDS_PAYMENT"},
		{"pay_test_12345abc", 4000, "<nil>"},
		{"pay_test_12345abc", 2000, "permanent REFUND_EXCEEDS_PAYMENT"},
		{"pay_test_12345abc", 1999, "<nil>"},
		{"pay_test_12345abc", 1, "permanent REFUND_EXCEEDS_PAYMENT"},
		{"pay_concurrent_123", 3999, "<nil>"},
		{"pay_other", 5000, "<nil>"}, // of a payment of 6000
		{"pay_other", 1001, "permanent REFUND_EXCEEDS_PAYMENT"},
		{"pay_other", 1000, "<nil>"},
	} {
		if got := codeOf(d.refund(t, i, step.payment, step.amount)); got != step.want {
			t.Errorf("refund %d, %s of %s: %s, want %s", i, step.amount, step.payment, got, step.want)
		}
	}
}

func TestRefundsThatAreEligibleTogetherAreHeldToThePaymentWhenTheyMoveMoney(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	const each, tasks = 2000, 8 // of 5999
	var eligible [tasks]Eligibility
	for n := range eligible {
		var err error
		if eligible[n], err = d.ValidatePaymentEligibility(refundContext(t, n, "validate"), eligibilityInput{"pay_test_12345abc", each}); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	var verdicts [tasks]string
	for n := range eligible {
		ctx := refundContext(t, n, "process")
		all.Go(func() {
			_, err := d.ProcessGatewayRefund(ctx, refundInput{Payment: eligible[n]})
			verdicts[n] = codeOf(err)
		})
	}
	all.Wait()
	count := map[string]int{}
	for _, v := range verdicts {
		count[v]++
	}
	if count["<nil>"] != 2 || count["permanent REFUND_EXCEEDS_PAYMENT"] != tasks-2 {
		t.Errorf("of refunds of 20.00 from 59.99 the verdicts are %v, want two that went well", count)
	}
	if f := d.Figures(tasker.Current(refundContext(t, 1, "")).RootID); f.Refunded != 2*each {
		t.Errorf("%s were given back", f.Refunded)
	}
}

func TestAKeyIsRefundedOnceAndNeverAfterItWasReconciled(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	first, err := d.Gateway.Refund(t.Context(), "k", "pay_1", 100)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := d.Gateway.Refund(t.Context(), "k", "pay_1", 100); err != nil || second != first {
		t.Errorf("the second request gives %+v, %v", second, err)
	}
	if _, found, err := d.Gateway.Find(t.Context(), "late"); found || err != nil {
		t.Fatal(found, err)
	}
	_, err = d.Gateway.Refund(t.Context(), "late", "pay_1", 100)
	if got := codeOf(refundVerdicts.Of(err)); got != "permanent REFUND_CLOSED" {
		t.Errorf("a request that comes after the reconciling gets %s", got)
	}
	if _, err := d.Gateway.Refund(t.Context(), "", "pay_1", 100); !errors.Is(err, errNoKey) {
		t.Errorf("a request without a key gets %v", err)
	}
}

func TestARefundIsReconciledByWritingItIntoTheBooks(t *testing.T) {
	t.Parallel()
	d := New(post.NewWorld())
	refund := Refund{ID: "rfnd_1", PaymentID: "pay_1", Amount: 100}
	if err := d.Books.Reconcile(t.Context(), refund); err != nil {
		t.Fatal(err)
	}
	if f := d.Figures(tasker.ID{}); len(f.ToReconcile) != 1 || f.Records != 0 {
		t.Fatalf("%+v", f)
	}
	for range 2 {
		if _, err := d.Books.Write(t.Context(), "pay_1", "rfnd_1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Books.Reconcile(t.Context(), refund); err != nil {
		t.Fatal(err)
	}
	if f := d.Figures(tasker.ID{}); len(f.ToReconcile) != 0 || f.Records != 1 {
		t.Errorf("%+v", f)
	}
}
