package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

// CustomerFigures are the customers by tier and by value.
type CustomerFigures struct {
	TierAnalysis         map[string]TierFigures `json:"tier_analysis"`
	ValueSegments        ValueSegments          `json:"value_segments"`
	TotalLifetimeValue   money.Amount           `json:"total_lifetime_value"`
	AverageCustomerValue money.Amount           `json:"avg_customer_value"`
	RecordCount          int                    `json:"record_count"`
	TransformationType   string                 `json:"transformation_type"`
	Source               string                 `json:"source"`
}

// TierFigures are the customers of one tier.
type TierFigures struct {
	CustomerCount        int          `json:"customer_count"`
	TotalLifetimeValue   money.Amount `json:"total_lifetime_value"`
	AverageLifetimeValue money.Amount `json:"avg_lifetime_value"`
}

// ValueSegments count the customers by what they are worth. Each customer is
// in exactly one.
type ValueSegments struct {
	High   int `json:"high_value"`
	Medium int `json:"medium_value"`
	Low    int `json:"low_value"`
}

// Segments are where a segment begins. It ends right below the next one.
type Segments struct {
	HighFrom   money.Amount `json:"high_from"`
	MediumFrom money.Amount `json:"medium_from"`
}

type customersInput struct {
	Customers *Extract[Customer] `result:"extract_customer_data"`
	Segments  Segments           `initialization:"segments"`
}

// TransformCustomers sorts the customers.
func (p *Pipeline) TransformCustomers(ctx context.Context, in customersInput) (CustomerFigures, error) {
	rows, err := rowsOf(ctx, p.Archive, "extract_customer_data", in.Customers)
	if err != nil {
		return CustomerFigures{}, err
	}
	noteTransform(ctx, "transform_customers", len(rows))
	return customerFigures(rows, in.Segments), nil
}

func customerFigures(rows []Customer, segments Segments) CustomerFigures {
	f := CustomerFigures{
		TierAnalysis: map[string]TierFigures{}, RecordCount: len(rows),
		TransformationType: "customer_analytics", Source: "extract_customer_data",
	}
	for _, customer := range rows {
		f.TotalLifetimeValue += customer.LifetimeValue

		tier := f.TierAnalysis[customer.Tier]
		tier.CustomerCount++
		tier.TotalLifetimeValue += customer.LifetimeValue
		tier.AverageLifetimeValue = average(tier.TotalLifetimeValue, tier.CustomerCount)
		f.TierAnalysis[customer.Tier] = tier

		switch {
		case customer.LifetimeValue >= segments.HighFrom:
			f.ValueSegments.High++
		case customer.LifetimeValue >= segments.MediumFrom:
			f.ValueSegments.Medium++
		default:
			f.ValueSegments.Low++
		}
	}
	f.AverageCustomerValue = average(f.TotalLifetimeValue, len(rows))
	return f
}
