package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Billing is what a user pays. Of a free plan it has the last three fields
// and no others.
type Billing struct {
	BillingID       string        `json:"billing_id,omitempty"`
	UserID          string        `json:"user_id"`
	Plan            string        `json:"plan"`
	Price           *money.Amount `json:"price,omitempty"`
	Currency        string        `json:"currency,omitempty"`
	BillingCycle    string        `json:"billing_cycle,omitempty"`
	Features        []string      `json:"features,omitempty"`
	Status          string        `json:"status"` // active, skipped_free_plan
	NextBillingDate time.Time     `json:"next_billing_date,omitzero"`
	CreatedAt       time.Time     `json:"created_at,omitzero"`
	BillingRequired *bool         `json:"billing_required,omitempty"`
	Message         string        `json:"message,omitempty"`
}

const billingSkipped = "skipped_free_plan"

type billingInput struct {
	Account Account      `result:"create_user_account"`
	Billing *BillingInfo `context:"billing_info"`
	At      Endpoint     `initialization:"."`
}

// SetupBillingProfile sets up what a paid plan costs. It never goes on without
// its service: a user whom nobody bills is a loss, and one who is billed twice
// is worse.
func (r *Registration) SetupBillingProfile(ctx context.Context, in billingInput) (Billing, error) {
	if err := in.Account.check(); err != nil {
		return Billing{}, err
	}
	user, plan := in.Account.UserID, in.Account.Plan
	offer, known := plans[plan]
	if !known {
		return Billing{}, unknownPlan(plan)
	}
	annotateBilling(ctx, plan, offer.Price > 0)
	if offer.Price == 0 {
		return skippedBilling(user, plan), nil
	}
	profile, err := r.createProfile(ctx, in.At, NewProfile{user, plan, in.Billing})
	if err != nil {
		return Billing{}, err
	}
	if err := checkProfile(profile); err != nil {
		_, undone := r.cancelProfile(ctx, in.At, tasker.Key(ctx))
		return Billing{}, cmp.Or(undone, err)
	}
	return billingOf(profile), nil
}

// snip:begin rest

// createProfile makes a user's profile, once, or finds the one that they have.
func (r *Registration) createProfile(
	ctx context.Context, at Endpoint, wanted NewProfile,
) (profile Profile, err error) {
	err = r.Billing.Post(ctx, at, "/profiles", tasker.Key(ctx), wanted, &profile)
	switch statusOf(err) {
	case http.StatusConflict:
		err = r.Billing.Get(ctx, at, "/profiles/"+url.PathEscape(wanted.UserID), &profile)
		profile.ID = "existing_profile_" + wanted.UserID
	case http.StatusPaymentRequired:
		err = tasker.Permanent("PAYMENT_METHOD_REQUIRED", "a %s plan needs a payment method", wanted.Plan)
	}
	return profile, err
}

func skippedBilling(user, plan string) Billing {
	return Billing{
		UserID: user, Plan: plan, Status: billingSkipped,
		BillingRequired: new(bool), Message: "A free plan costs nothing, so there is nothing to bill.",
	}
}

func checkProfile(p Profile) error {
	switch {
	case p.ID == "":
		return tasker.Permanent("MISSING_PROFILE_ID_IN_RESPONSE", "the answer has no billing_id")
	case p.Plan == "":
		return tasker.Permanent("MISSING_PLAN_IN_RESPONSE", "the answer has no plan")
	case p.Price == 0:
		return tasker.Permanent("MISSING_PRICE_IN_RESPONSE", "the answer has no price")
	}
	return nil
}

func billingOf(p Profile) Billing {
	return Billing{
		BillingID: p.ID, UserID: p.UserID, Plan: p.Plan, Price: &p.Price, Currency: p.Currency,
		BillingCycle: p.BillingCycle, Features: p.Features, Status: p.Status,
		NextBillingDate: p.NextBillingDate, CreatedAt: p.CreatedAt,
	}
}

func annotateBilling(ctx context.Context, plan string, required bool) {
	tasker.Annotate(ctx, "operation", "setup_billing")
	tasker.Annotate(ctx, "service", "billing_service")
	tasker.Annotate(ctx, "plan", plan)
	tasker.Annotate(ctx, "billing_required", required)
}

// snip:end rest
