package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

// SalesExtract is the sales of a window of days.
type SalesExtract struct {
	Extract[Sale]
	ExtractedAt time.Time    `json:"extracted_at"`
	Source      string       `json:"source"`
	TotalAmount money.Amount `json:"total_amount"`
	DateRange   *DateRange   `json:"date_range"` // of the rows, not of the request; null for none
}

// ExtractSales reads the sales of the days that were asked for.
func (p *Pipeline) ExtractSales(ctx context.Context, in extractInput) (SalesExtract, error) {
	least := in.Quality.MinOrders
	rows, read, err := extract(ctx, p.Archive, sourceSales, p.Sales, in, least)
	if err != nil {
		return SalesExtract{}, err
	}
	out := SalesExtract{Extract: read, ExtractedAt: time.Now().UTC(), Source: "SalesDatabase"}
	for _, sale := range rows {
		out.TotalAmount += sale.Amount
		if out.DateRange == nil {
			out.DateRange = &DateRange{sale.Date, sale.Date}
		}
		out.DateRange.Start = min(out.DateRange.Start, sale.Date)
		out.DateRange.End = max(out.DateRange.End, sale.Date)
	}
	noteExtract(ctx, "extract_sales", out.Source, len(rows), out.ExtractedAt)
	return out, nil
}
