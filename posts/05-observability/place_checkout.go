package main

import (
	"cmp"
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
)

type placeInput struct {
	Tier   string `context:"customer_tier"`
	Method string `context:"payment_method"`
}

// Placed is what the task handler adds to a checkout's context: what the
// customer left out, and something for people who come upon it later.
type Placed struct {
	Tier          string          `json:"customer_tier"`
	Method        string          `json:"payment_method"`
	Business      BusinessContext `json:"business_context"`
	Target        string          `json:"monitoring_target"`
	CorrelationID string          `json:"correlation_id"`
}

// BusinessContext says what a checkout is to the business.
type BusinessContext struct {
	Domain      string `json:"domain"`
	ImpactLevel string `json:"impact_level"`
	SLATier     string `json:"sla_tier"`
}

// PlaceCheckout runs when a checkout is submitted. It fills in the defaults of
// the input, since every step and every event counts on them. The correlation
// id is the task's: what the caller brought along, else the task's own id.
func (s *Shop) PlaceCheckout(ctx context.Context, in placeInput) (Placed, error) {
	tier, method := cmp.Or(in.Tier, "standard"), cmp.Or(in.Method, "credit_card")
	business := BusinessContext{Domain: "ecommerce", ImpactLevel: "standard", SLATier: "standard"}
	if tier == "premium" {
		business.ImpactLevel, business.SLATier = "high", "premium"
	}
	return Placed{tier, method, business, "checkout_workflow", tasker.Current(ctx).CorrelationID}, nil
}
