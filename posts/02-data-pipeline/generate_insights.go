package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// Insights is what the dashboard shows.
type Insights struct {
	Insights             []Insight `json:"insights"`
	Health               Health    `json:"health_score"`
	TotalMetricsAnalyzed int       `json:"total_metrics_analyzed"`
	PipelineComplete     bool      `json:"pipeline_complete"`
	GeneratedAt          time.Time `json:"generated_at"`
	PublishedAs          string    `json:"published_as"` // the dashboard's key
}

// Insight is one thing that the figures say.
type Insight struct {
	Category       string      `json:"category"`
	Finding        string      `json:"finding"`
	Metric         json.Number `json:"metric"` // an amount, or a count
	Recommendation string      `json:"recommendation"`
}

// Health is the shop in one number.
type Health struct {
	Score    int    `json:"score"`
	MaxScore int    `json:"max_score"`
	Rating   string `json:"rating"`
}

type insightsInput struct {
	PipelineID string       `context:"pipeline_id"`
	Window     DateRange    `context:"date_range"`
	Metrics    *Metrics     `result:"aggregate_metrics"`
	Rules      HealthScheme `initialization:"health"`
}

// GenerateInsights puts the figures into words, and publishes them under the
// pipeline's own name: whoever runs the pipeline again replaces them.
func (p *Pipeline) GenerateInsights(ctx context.Context, in insightsInput) (Insights, error) {
	if in.Metrics == nil || !in.Metrics.AggregationComplete {
		return Insights{}, tasker.Permanent("MISSING_AGGREGATE_RESULTS",
			"aggregate_metrics has left no figures")
	}
	signs := in.Rules.signsOf(*in.Metrics)
	out := Insights{
		Insights:             insightsOf(*in.Metrics, signs),
		Health:               in.Rules.score(signs),
		TotalMetricsAnalyzed: reflect.TypeFor[Metrics]().NumField(),
		PipelineComplete:     true,
		GeneratedAt:          time.Now().UTC(),
		PublishedAs:          outputKey(in.PipelineID, in.Window),
	}
	if err := p.Dashboard.Publish(ctx, out.PublishedAs, out); err != nil {
		return Insights{}, err
	}
	noteInsights(ctx, out)
	return out, nil
}

func noteInsights(ctx context.Context, out Insights) {
	tasker.Annotate(ctx, "operation", "generate_insights")
	tasker.Annotate(ctx, "source_step", "aggregate_metrics")
	tasker.Annotate(ctx, "insights_generated", len(out.Insights))
	tasker.Annotate(ctx, "generated_at", out.GeneratedAt)
}

// HealthScheme says what makes a healthy shop. It stands in the template.
type HealthScheme struct {
	RevenuePerCustomer   threshold `json:"revenue_per_customer"`
	AverageLifetimeValue threshold `json:"average_lifetime_value"`
	NoReorderAlerts      threshold `json:"no_reorder_alerts"`
	Ratings              []rating  `json:"ratings"` // the highest first
}

type threshold struct {
	Above  money.Amount `json:"above"`
	Points int          `json:"points"`
}

type rating struct {
	From   int    `json:"from"`
	Rating string `json:"rating"`
}

// signs are the good signs of a shop. The score and the words both go by
// them, so that no shop is called healthy and given no points for it.
type signs struct {
	averageValue                money.Amount
	spending, valuable, stocked bool
}

func (h HealthScheme) signsOf(m Metrics) signs {
	value := average(m.TotalCustomerLifetimeValue, m.TotalCustomers)
	return signs{
		averageValue: value,
		spending:     m.RevenuePerCustomer > h.RevenuePerCustomer.Above,
		valuable:     value > h.AverageLifetimeValue.Above,
		stocked:      m.InventoryReorderAlerts == 0,
	}
}

func (h HealthScheme) score(s signs) (health Health) {
	for _, sign := range []struct {
		good   bool
		points int
	}{
		{s.spending, h.RevenuePerCustomer.Points},
		{s.valuable, h.AverageLifetimeValue.Points},
		{s.stocked, h.NoReorderAlerts.Points},
	} {
		health.MaxScore += sign.points
		if sign.good {
			health.Score += sign.points
		}
	}
	for _, r := range h.Ratings {
		if health.Score >= r.From {
			health.Rating = r.Rating
			break
		}
	}
	return health
}

func insightsOf(m Metrics, s signs) (all []Insight) {
	add := func(category string, metric string, good bool, finding, well, otherwise string) {
		recommendation := otherwise
		if good {
			recommendation = well
		}
		all = append(all, Insight{category, finding, json.Number(metric), recommendation})
	}
	if m.TotalRevenue > 0 {
		add("Revenue", m.RevenuePerCustomer.String(), s.spending,
			fmt.Sprintf("%d customers brought %s USD", m.TotalCustomers, m.TotalRevenue),
			"Customers spend well: keep them coming back",
			"Offer each customer something that goes with what they buy")
	}
	finding := "No product is short"
	if !s.stocked {
		finding = fmt.Sprintf("Products at or below their reorder point: %d", m.InventoryReorderAlerts)
	}
	add("Inventory", strconv.Itoa(m.InventoryReorderAlerts), s.stocked, finding,
		"Stock is healthy: nothing to do", "Reorder them before they run out")
	add("Customer Value", s.averageValue.String(), s.valuable,
		fmt.Sprintf("A customer is worth %s USD on average", s.averageValue),
		"Retention pays: look after the customers there are",
		"Find out what would make customers stay longer")
	return all
}
