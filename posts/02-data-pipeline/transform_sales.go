package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// SalesFigures are the sales by day and by product.
type SalesFigures struct {
	RecordCount        int                     `json:"record_count"`
	DailySales         map[Day]DaySales        `json:"daily_sales"`
	ProductSales       map[string]ProductSales `json:"product_sales"`
	TotalRevenue       money.Amount            `json:"total_revenue"`
	TransformationType string                  `json:"transformation_type"`
	Source             string                  `json:"source"`
}

// DaySales is what one day brought.
type DaySales struct {
	TotalAmount  money.Amount `json:"total_amount"`
	OrderCount   int          `json:"order_count"`
	AverageOrder money.Amount `json:"avg_order_value"`
}

// ProductSales is what one product brought.
type ProductSales struct {
	TotalQuantity int          `json:"total_quantity"`
	TotalRevenue  money.Amount `json:"total_revenue"`
	OrderCount    int          `json:"order_count"`
}

type salesInput struct {
	Sales *Extract[Sale] `result:"extract_sales_data"`
}

// TransformSales adds the sales up.
func (p *Pipeline) TransformSales(ctx context.Context, in salesInput) (SalesFigures, error) {
	rows, err := rowsOf(ctx, p.Archive, "extract_sales_data", in.Sales)
	if err != nil {
		return SalesFigures{}, err
	}
	noteTransform(ctx, "transform_sales", len(rows))
	return salesFigures(rows), nil
}

func salesFigures(rows []Sale) SalesFigures {
	f := SalesFigures{
		RecordCount: len(rows), DailySales: map[Day]DaySales{}, ProductSales: map[string]ProductSales{},
		TransformationType: "sales_analytics", Source: "extract_sales_data",
	}
	for _, sale := range rows {
		f.TotalRevenue += sale.Amount

		day := f.DailySales[sale.Date]
		day.TotalAmount += sale.Amount
		day.OrderCount++
		day.AverageOrder = average(day.TotalAmount, day.OrderCount)
		f.DailySales[sale.Date] = day

		product := f.ProductSales[sale.ProductID]
		product.TotalQuantity += sale.Quantity
		product.TotalRevenue += sale.Amount
		product.OrderCount++
		f.ProductSales[sale.ProductID] = product
	}
	return f
}

func noteTransform(ctx context.Context, operation string, rows int) {
	tasker.Annotate(ctx, "operation", operation)
	tasker.Annotate(ctx, "records_transformed", rows)
	tasker.Annotate(ctx, "transformed_at", time.Now().UTC())
}
