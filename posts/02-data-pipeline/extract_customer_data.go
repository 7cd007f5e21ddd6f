package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// CustomerExtract is everybody whom the CRM knows.
type CustomerExtract struct {
	Extract[Customer]
	ExtractedAt          time.Time      `json:"extracted_at"`
	Source               string         `json:"source"`
	TotalCustomers       int            `json:"total_customers"`
	TotalLifetimeValue   money.Amount   `json:"total_lifetime_value"`
	TierBreakdown        map[string]int `json:"tier_breakdown"`
	AverageLifetimeValue money.Amount   `json:"avg_lifetime_value"`
}

// ExtractCustomers reads the customers.
func (p *Pipeline) ExtractCustomers(ctx context.Context, in extractInput) (CustomerExtract, error) {
	least := in.Quality.MinCustomers
	rows, read, err := extract(ctx, p.Archive, sourceCRM, p.Customers, in, least)
	if err != nil {
		return CustomerExtract{}, err
	}
	out := CustomerExtract{
		Extract: read, ExtractedAt: time.Now().UTC(), Source: "CRMSystem",
		TotalCustomers: len(rows), TierBreakdown: map[string]int{},
	}
	for _, customer := range rows {
		out.TotalLifetimeValue += customer.LifetimeValue
		out.TierBreakdown[customer.Tier]++
	}
	out.AverageLifetimeValue = average(out.TotalLifetimeValue, len(rows))
	noteExtract(ctx, "extract_customers", out.Source, len(rows), out.ExtractedAt)
	tasker.Annotate(ctx, "customer_tiers", slices.Sorted(maps.Keys(out.TierBreakdown)))
	return out, nil
}

// average is rounded to the cent, half away from zero; 0 for none.
func average(total money.Amount, of int) money.Amount {
	if of == 0 {
		return 0
	}
	half := money.Amount(of / 2)
	if total < 0 {
		half = -half
	}
	return (total + half) / money.Amount(of)
}
