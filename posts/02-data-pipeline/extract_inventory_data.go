package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// InventoryExtract is the stock of all warehouses.
type InventoryExtract struct {
	Extract[StockItem]
	ExtractedAt     time.Time `json:"extracted_at"`
	Source          string    `json:"source"`
	TotalQuantity   int       `json:"total_quantity"`
	Warehouses      []string  `json:"warehouses"` // sorted
	ProductsTracked int       `json:"products_tracked"`
}

// ExtractInventory reads what every warehouse has.
func (p *Pipeline) ExtractInventory(ctx context.Context, in extractInput) (InventoryExtract, error) {
	least := in.Quality.MinInventory
	rows, read, err := extract(ctx, p.Archive, sourceInventory, p.Inventory, in, least)
	if err != nil {
		return InventoryExtract{}, err
	}
	out := InventoryExtract{Extract: read, ExtractedAt: time.Now().UTC(), Source: "InventorySystem"}
	warehouses, products := map[string]bool{}, map[string]bool{}
	for _, item := range rows {
		out.TotalQuantity += item.OnHand
		warehouses[item.Warehouse], products[item.ProductID] = true, true
	}
	out.Warehouses, out.ProductsTracked = slices.Sorted(maps.Keys(warehouses)), len(products)
	noteExtract(ctx, "extract_inventory", out.Source, len(rows), out.ExtractedAt)
	tasker.Annotate(ctx, "warehouses", out.Warehouses)
	return out, nil
}
