package main

import (
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Pipeline is what the handlers work with: three sources, a place for what
// was read, and the dashboard.
type Pipeline struct {
	Sales     Source[Sale]
	Inventory Source[StockItem]
	Customers Source[Customer]
	Archive   *Archive
	Dashboard *Dashboard
}

func newPipeline(w *post.World) *Pipeline {
	return &Pipeline{
		Sales:     simulate(w, sourceSales, sales),
		Inventory: simulate(w, sourceInventory, inventory),
		Customers: simulate(w, sourceCRM, customers),
		Archive:   newArchive(w),
		Dashboard: newDashboard(w),
	}
}

// Handlers is the workflow's table of contents.
func (p *Pipeline) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"data_pipeline.AnalyticsPipelineHandler": tasker.OnSubmit(p.CheckRequest),

		"data_pipeline.ExtractSalesHandler":     tasker.Step(p.ExtractSales),
		"data_pipeline.ExtractInventoryHandler": tasker.Step(p.ExtractInventory),
		"data_pipeline.ExtractCustomersHandler": tasker.Step(p.ExtractCustomers),

		"data_pipeline.TransformSalesHandler":     tasker.Step(p.TransformSales),
		"data_pipeline.TransformInventoryHandler": tasker.Step(p.TransformInventory),
		"data_pipeline.TransformCustomersHandler": tasker.Step(p.TransformCustomers),

		"data_pipeline.AggregateMetricsHandler": tasker.Step(p.AggregateMetrics),
		"data_pipeline.GenerateInsightsHandler": tasker.Step(p.GenerateInsights),
	}
}
