package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
)

type placeInput struct {
	Tier string `context:"customer_tier"`
}

// Placed is what the task handler adds to a checkout's context, for people
// who come upon it later.
type Placed struct {
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

// PlaceCheckout runs when a checkout is submitted. The correlation id is the
// task's: what the caller brought along, else the task's own id.
func (s *Shop) PlaceCheckout(ctx context.Context, in placeInput) (Placed, error) {
	business := BusinessContext{Domain: "ecommerce", ImpactLevel: "standard", SLATier: "standard"}
	if in.Tier == "premium" {
		business.ImpactLevel, business.SLATier = "high", "premium"
	}
	return Placed{business, "checkout_workflow", tasker.Current(ctx).CorrelationID}, nil
}
