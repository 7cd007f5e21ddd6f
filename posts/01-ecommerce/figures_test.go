package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

func TestACartIsPricedToTheCent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                           string
		cart                           []CartItem
		subtotal, tax, shipping, total money.Amount
		processing                     money.Amount // 0 where the page gives none
	}{
		{"1x P1", []CartItem{{1, 1}}, 2999, 240, 599, 3838, 111},
		{"2x P1", []CartItem{{1, 2}}, 5998, 480, 599, 7077, 205},
		{"4x P1, two pounds", []CartItem{{1, 4}}, 11996, 960, 599, 13555, 393},
		{"5x P1", []CartItem{{1, 5}}, 14995, 1200, 999, 17194, 499},
		{"5x P3", []CartItem{{3, 5}}, 9995, 800, 999, 11794, 342},
		{"20x P1, ten pounds", []CartItem{{1, 20}}, 59980, 4798, 999, 65777, 1908},
		{"21x P1", []CartItem{{1, 21}}, 62979, 5038, 1499, 69516, 2016},
		{"100x P1", []CartItem{{1, 100}}, 299900, 23992, 1499, 325391, 0},
		{"50x P2", []CartItem{{2, 50}}, 249950, 19996, 1499, 271445, 0},
		{"25x P3", []CartItem{{3, 25}}, 49975, 3998, 1499, 55472, 0},
		{"P1+2xP2+3xP3", []CartItem{{1, 1}, {2, 2}, {3, 3}}, 18994, 1520, 999, 21513, 0},
		{"1x P2", []CartItem{{2, 1}}, 4999, 400, 599, 5998, 0},
		{"1x P3", []CartItem{{3, 1}}, 1999, 160, 599, 2758, 0},
		{"2x P1+1x P2", []CartItem{{1, 2}, {2, 1}}, 10997, 880, 599, 12476, 362},
	}
	shop := newShop(post.NewWorld())
	for _, tt := range tests {
		cart, err := shop.ValidateCart(t.Context(), cartInput{Items: tt.cart})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if cart.Subtotal != tt.subtotal || cart.Tax != tt.tax || cart.Shipping != tt.shipping || cart.Total != tt.total {
			t.Errorf("%s: %s + %s + %s = %s, want %s + %s + %s = %s", tt.name, cart.Subtotal, cart.Tax, cart.Shipping, cart.Total, tt.subtotal, tt.tax, tt.shipping, tt.total)
		}
		if fees := feesOf(cart.Total); tt.processing != 0 && (fees.Processing != tt.processing || fees.Total != tt.processing+30) {
			t.Errorf("%s: the fees are %+v, want %s", tt.name, fees, tt.processing)
		}
	}
}

// stepContext gives the context that the engine would give a step of a task.
func stepContext(t *testing.T, step string, attempt int) context.Context {
	t.Helper()
	id, err := tasker.ParseID("0192f4e2-7c1a-7b3d-9e58-3c2f1a0b4d6e")
	if err != nil {
		t.Fatal(err)
	}
	return tasker.WithAttempt(t.Context(), &tasker.Attempt{TaskID: id, RootID: id, Step: step, Number: attempt, Version: "1.0.0"})
}

func TestAHandlerSaysWhichOfItsInputsIsMissing(t *testing.T) {
	t.Parallel()
	shop := newShop(post.NewWorld())
	customer := &Customer{Email: "customer@example.com", Name: "R"}
	cart := Cart{Items: []PricedItem{{ProductID: 1, Quantity: 1}}, Total: 3838}
	payment, inventory, order := Payment{PaymentID: "pay_1"}, Inventory{Products: []ReservedProduct{{}}}, Order{OrderID: 1}
	tests := []struct {
		code string
		call func(ctx context.Context) error
	}{
		{"MISSING_CART_ITEMS", func(ctx context.Context) error { _, err := shop.ValidateCart(ctx, cartInput{}); return err }},
		{"MISSING_PRODUCT_ID", func(ctx context.Context) error {
			_, err := shop.ValidateCart(ctx, cartInput{[]CartItem{{1, 1}, {0, 1}}})
			return err
		}},
		{"INVALID_QUANTITY", func(ctx context.Context) error {
			_, err := shop.ValidateCart(ctx, cartInput{[]CartItem{{1, -1}}})
			return err
		}},
		{"MISSING_PAYMENT_METHOD", func(ctx context.Context) error { _, err := shop.ChargeCard(ctx, chargeInput{Cart: cart}); return err }},
		{"MISSING_PAYMENT_TOKEN", func(ctx context.Context) error {
			_, err := shop.ChargeCard(ctx, chargeInput{PaymentInfo{Method: "m"}, cart})
			return err
		}},
		{"MISSING_CART_TOTAL", func(ctx context.Context) error {
			_, err := shop.ChargeCard(ctx, chargeInput{PaymentInfo{Method: "m", Token: "t"}, Cart{}})
			return err
		}},
		{"MISSING_VALIDATED_ITEMS", func(ctx context.Context) error {
			_, err := shop.ReserveStock(ctx, reserveInput{customer, Cart{}})
			return err
		}},
		{"MISSING_CUSTOMER_INFO", func(ctx context.Context) error { _, err := shop.ReserveStock(ctx, reserveInput{nil, cart}); return err }},
		{"MISSING_CUSTOMER_INFO", func(ctx context.Context) error {
			_, err := shop.CreateOrder(ctx, orderInput{nil, cart, payment, inventory})
			return err
		}},
		{"MISSING_CART_VALIDATION", func(ctx context.Context) error {
			_, err := shop.CreateOrder(ctx, orderInput{customer, Cart{}, payment, inventory})
			return err
		}},
		{"MISSING_PAYMENT_RESULT", func(ctx context.Context) error {
			_, err := shop.CreateOrder(ctx, orderInput{customer, cart, Payment{}, inventory})
			return err
		}},
		{"MISSING_INVENTORY_RESULT", func(ctx context.Context) error {
			_, err := shop.CreateOrder(ctx, orderInput{customer, cart, payment, Inventory{}})
			return err
		}},
		{"MISSING_CUSTOMER_EMAIL", func(ctx context.Context) error {
			_, err := shop.SendConfirmation(ctx, confirmInput{Customer{}, cart, order})
			return err
		}},
		{"MISSING_ORDER_RESULT", func(ctx context.Context) error {
			_, err := shop.SendConfirmation(ctx, confirmInput{*customer, cart, Order{}})
			return err
		}},
		{"MISSING_CART_VALIDATION", func(ctx context.Context) error {
			_, err := shop.SendConfirmation(ctx, confirmInput{*customer, Cart{}, order})
			return err
		}},
		{"INVALID_EMAIL", func(ctx context.Context) error {
			_, err := shop.SendConfirmation(ctx, confirmInput{Customer{Email: "a b@c"}, cart, order})
			return err
		}},
	}
	for _, tt := range tests {
		err := tt.call(stepContext(t, "step", 1))
		var verdict *tasker.Error
		if !errors.As(err, &verdict) || verdict.Code != tt.code || verdict.Kind != tasker.KindPermanent {
			t.Errorf("the verdict is %v, want a permanent %s", err, tt.code)
		}
	}
}

func TestAChargeIsBookedOnceForEachKey(t *testing.T) {
	t.Parallel()
	world := post.NewWorld()
	shop := newShop(world)
	in := chargeInput{PaymentInfo{Method: "credit_card", Token: "tok_test_valid", Amount: 3838}, Cart{Total: 3838}}
	first, err := shop.ChargeCard(stepContext(t, "process_payment", 1), in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := shop.ChargeCard(stepContext(t, "process_payment", 2), in)
	if err != nil || second != first {
		t.Errorf("the second attempt gives %+v and %v, want %+v again", second, err, first)
	}
	root := tasker.Current(stepContext(t, "process_payment", 1)).RootID
	if f := figuresOf(world, root); f.charges != 1 || f.calls != 2 {
		t.Errorf("two attempts made %d charges by %d calls", f.charges, f.calls)
	}
}

func TestAMismatchSaysWhatWasExpectedAndWhatWasGiven(t *testing.T) {
	t.Parallel()
	_, err := newShop(post.NewWorld()).ChargeCard(stepContext(t, "process_payment", 1),
		chargeInput{PaymentInfo{Method: "m", Token: "t", Amount: 5998}, Cart{Total: 7077}})
	var verdict *tasker.Error
	if !errors.As(err, &verdict) {
		t.Fatal(err)
	}
	for key, want := range map[string]money.Amount{"expected_amount": 7077, "provided_amount": 5998, "difference": 1079} {
		if verdict.Context[key] != want {
			t.Errorf("%s is %v, want %s", key, verdict.Context[key], want)
		}
	}
}

func TestStockIsReservedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	world := post.NewWorld()
	shop := newShop(world)
	if _, err := shop.Stock.Reserve(t.Context(), "k", []CartItem{{1, 10}, {3, 26}}); err == nil {
		t.Fatal("26 of 25 pieces were reserved")
	}
	if f := figuresOf(world, tasker.ID{}); f.stock["1"] != 100 || f.stock["3"] != 25 {
		t.Errorf("after a refused reservation the stock is %v", f.stock)
	}
}

func TestAReservationWithoutAnOrderComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		world := post.NewWorld()
		shop := newShop(world)
		all := []CartItem{{3, 25}}
		if _, err := shop.Stock.Reserve(t.Context(), "given up", all); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reservationTime - time.Nanosecond)
		if err := shop.Stock.Check(t.Context(), all); err == nil {
			t.Fatal("the stock came back before its time")
		}
		time.Sleep(time.Nanosecond)
		if _, err := shop.Stock.Reserve(t.Context(), "ordered", all); err != nil {
			t.Fatalf("after %v: %v", reservationTime, err)
		}
		if err := shop.Stock.Commit(t.Context(), "ordered"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * reservationTime)
		if err := shop.Stock.Check(t.Context(), []CartItem{{3, 1}}); err == nil {
			t.Error("what an order stands for came back")
		}
	})
}

// The fragile checkout fails as the story tells.

var card = PaymentInfo{Method: "credit_card", Token: "tok_test_valid"}

func TestTheFragileCheckoutChargesWithoutAnOrder(t *testing.T) {
	t.Parallel()
	world := post.NewWorld()
	shop := newShop(world)
	_, err := shop.fragileCheckout(t.Context(), []CartItem{{3, 26}}, Customer{Email: "customer@example.com"}, card)
	if err == nil || !strings.Contains(err.Error(), "of product 3 there are 25") {
		t.Fatalf("the error is %v", err)
	}
	f := figuresOf(world, tasker.ID{})
	if f.charges != 1 || f.orders != 0 {
		t.Errorf("there are %d charges and %d orders; the story has one charge and no order", f.charges, f.orders)
	}
	t.Attr("charges", fmt.Sprint(f.charges))
	t.Attr("orders", fmt.Sprint(f.orders))
}

func TestTheFragileCheckoutChargesTwiceWhenItIsTriedAgain(t *testing.T) {
	t.Parallel()
	world := post.NewWorld()
	shop := newShop(world)
	lost := PaymentInfo{Method: "credit_card", Token: tokenTimeout}
	for range 2 {
		if _, err := shop.fragileCheckout(t.Context(), []CartItem{{1, 1}}, Customer{Email: "customer@example.com"}, lost); err == nil {
			t.Fatal("the answer was not lost")
		}
	}
	f := figuresOf(world, tasker.ID{})
	if f.charges != 2 || f.orders != 0 {
		t.Errorf("there are %d charges and %d orders; the story has two charges and no order", f.charges, f.orders)
	}
	t.Attr("charges", fmt.Sprint(f.charges))
	t.Attr("orders", fmt.Sprint(f.orders))
}

func TestTheWorkflowSurvivesWhatBreaksTheFragileCheckout(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, order("tok_test_valid", "580.31", 3, 26), "-env", "test")
	if o.Notes.Charges != 0 {
		t.Errorf("%d charges were made for what is not in stock", o.Notes.Charges)
	}
	o = reader.Report(t, order(tokenTimeout, "38.38", 1, 1), "-env", "test")
	if o.Notes.Charges != 1 || o.Notes.Orders != 1 {
		t.Errorf("lost answers made %d charges and %d orders", o.Notes.Charges, o.Notes.Orders)
	}
}
