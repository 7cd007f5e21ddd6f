package main

import "context"

// Customer is who orders.
type Customer struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	Tier  string `json:"tier"`
}

type submitInput struct {
	Customer Customer `context:"customer_info"`
}

// Favours is what the task handler adds to an order's context.
type Favours struct {
	ProcessingPriority string `json:"processing_priority,omitempty"`
	ExpeditedShipping  bool   `json:"expedited_shipping,omitempty"`
}

// FavourPremium runs when an order is submitted: premium customers go first.
func (s *Shop) FavourPremium(_ context.Context, in submitInput) (Favours, error) {
	if in.Customer.Tier != "premium" {
		return Favours{}, nil
	}
	return Favours{ProcessingPriority: "high", ExpeditedShipping: true}, nil
}
