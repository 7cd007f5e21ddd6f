package main

import (
	"context"
	"crypto/rand"
	"fmt"
)

// fragileNightly is the job as it is usually written first: everything in a
// row, and one rescue around it. It says that it failed and gives up. Nobody
// can tell how far it came, sources that have nothing to do with each other
// wait for each other, and running it again does everything again.
func (p *Pipeline) fragileNightly(
	ctx context.Context, window DateRange, chat func(string) error,
) (err error) {
	defer func() { // the one rescue
		if err != nil {
			err = fmt.Errorf("nightly job failed: %w", err)
			_ = chat(err.Error())
		}
	}()
	sales, err := p.Sales.Read(ctx, window)
	if err != nil {
		return err
	}
	inventory, err := p.Inventory.Read(ctx, window)
	if err != nil {
		return err
	}
	customers, err := p.Customers.Read(ctx, window)
	if err != nil {
		return err
	}
	page := fragilePage(sales, inventory, customers)
	if err := p.Dashboard.Publish(ctx, rand.Text(), page); err != nil {
		return err
	}
	return chat("the dashboard is up to date")
}

// fragilePage adds up and puts into words, as the pipeline does.
func fragilePage(sales []Sale, inventory []StockItem, customers []Customer) Insights {
	metrics := metricsOf(
		salesFigures(sales), inventoryFigures(inventory), customerFigures(customers, Segments{}))
	signs := fragileHealth.signsOf(metrics)
	return Insights{Insights: insightsOf(metrics, signs), Health: fragileHealth.score(signs)}
}

// fragileHealth has the numbers where nobody finds them.
var fragileHealth = HealthScheme{
	RevenuePerCustomer:   threshold{500_00, 40},
	AverageLifetimeValue: threshold{3000_00, 30},
	NoReorderAlerts:      threshold{0, 30},
	Ratings: []rating{
		{80, "Excellent"}, {60, "Good"}, {40, "Fair"}, {0, "Needs Improvement"},
	},
}
