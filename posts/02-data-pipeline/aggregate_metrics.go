package main

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Metrics are the figures of all three branches.
type Metrics struct {
	TotalRevenue               money.Amount `json:"total_revenue"`
	TotalInventoryQuantity     int          `json:"total_inventory_quantity"`
	TotalCustomers             int          `json:"total_customers"`
	TotalCustomerLifetimeValue money.Amount `json:"total_customer_lifetime_value"`
	SalesTransactions          int          `json:"sales_transactions"`
	InventoryReorderAlerts     int          `json:"inventory_reorder_alerts"`
	RevenuePerCustomer         money.Amount `json:"revenue_per_customer"`
	InventoryTurnover          float64      `json:"inventory_turnover_indicator"` // see turnover
	AggregationComplete        bool         `json:"aggregation_complete"`
	SourcesIncluded            int          `json:"sources_included"`
}

type aggregateInput struct {
	Sales     *SalesFigures     `result:"transform_sales"`
	Inventory *InventoryFigures `result:"transform_inventory"`
	Customers *CustomerFigures  `result:"transform_customers"`
}

// AggregateMetrics is where the branches meet: it runs once all three are
// there, and needs them all.
func (p *Pipeline) AggregateMetrics(ctx context.Context, in aggregateInput) (Metrics, error) {
	if missing := in.missing(); len(missing) > 0 {
		return Metrics{}, tasker.Permanent("MISSING_TRANSFORM_RESULTS",
			"there is no result of %s", strings.Join(missing, ", ")).With("missing", missing)
	}
	tasker.Annotate(ctx, "operation", "aggregate_metrics")
	tasker.Annotate(ctx, "sources", branches)
	tasker.Annotate(ctx, "sources_aggregated", len(branches))
	tasker.Annotate(ctx, "aggregated_at", time.Now().UTC())
	return metricsOf(*in.Sales, *in.Inventory, *in.Customers), nil
}

var branches = []string{"transform_sales", "transform_inventory", "transform_customers"}

// missing names the branches whose figures are not there, in their order. A
// step that somebody resolved or completed by hand may have left none.
func (in aggregateInput) missing() (names []string) {
	for i, there := range []bool{
		in.Sales != nil && in.Sales.TransformationType != "",
		in.Inventory != nil && in.Inventory.TransformationType != "",
		in.Customers != nil && in.Customers.TransformationType != "",
	} {
		if !there {
			names = append(names, branches[i])
		}
	}
	return names
}

func metricsOf(sales SalesFigures, inventory InventoryFigures, customers CustomerFigures) Metrics {
	return Metrics{
		TotalRevenue:               sales.TotalRevenue,
		TotalInventoryQuantity:     inventory.TotalQuantityOnHand,
		TotalCustomers:             customers.RecordCount,
		TotalCustomerLifetimeValue: customers.TotalLifetimeValue,
		SalesTransactions:          sales.RecordCount,
		InventoryReorderAlerts:     inventory.ReorderAlerts,
		RevenuePerCustomer:         average(sales.TotalRevenue, customers.RecordCount),
		InventoryTurnover:          turnover(sales.TotalRevenue, inventory.TotalQuantityOnHand),
		AggregationComplete:        true,
		SourcesIncluded:            len(branches),
	}
}

// turnover is the revenue in USD for each piece on hand, to four decimals; 0
// where there is none.
func turnover(revenue money.Amount, onHand int) float64 {
	if onHand == 0 {
		return 0
	}
	return math.Round(float64(revenue)*100/float64(onHand)) / 10_000
}
