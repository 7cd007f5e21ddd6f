package main

import "context"

// InventoryFigures are the stock by warehouse and by product.
type InventoryFigures struct {
	WarehouseSummary    map[string]WarehouseStock `json:"warehouse_summary"`
	ProductInventory    map[string]ProductStock   `json:"product_inventory"`
	TotalQuantityOnHand int                       `json:"total_quantity_on_hand"`
	ReorderAlerts       int                       `json:"reorder_alerts"` // products to be bought
	TransformationType  string                    `json:"transformation_type"`
	Source              string                    `json:"source"`
	RecordCount         int                       `json:"record_count"`
}

// WarehouseStock is what one warehouse has. Its alerts are about its own
// shelves: of those products it has no more than its own reorder point, which
// a van from another warehouse may mend.
type WarehouseStock struct {
	TotalQuantity int `json:"total_quantity"`
	ProductCount  int `json:"product_count"`
	ReorderAlerts int `json:"reorder_alerts"`
}

// ProductStock is what all warehouses have of one product. It needs to be
// bought when that is no more than their reorder points together.
type ProductStock struct {
	TotalQuantity  int  `json:"total_quantity"`
	WarehouseCount int  `json:"warehouse_count"`
	NeedsReorder   bool `json:"needs_reorder"`
}

type inventoryInput struct {
	Inventory *Extract[StockItem] `result:"extract_inventory_data"`
}

// TransformInventory adds the stock up.
func (p *Pipeline) TransformInventory(ctx context.Context, in inventoryInput) (InventoryFigures, error) {
	rows, err := rowsOf(ctx, p.Archive, "extract_inventory_data", in.Inventory)
	if err != nil {
		return InventoryFigures{}, err
	}
	noteTransform(ctx, "transform_inventory", len(rows))
	return inventoryFigures(rows), nil
}

func inventoryFigures(rows []StockItem) InventoryFigures {
	f := InventoryFigures{
		WarehouseSummary: map[string]WarehouseStock{}, ProductInventory: map[string]ProductStock{},
		TransformationType: "inventory_analytics", Source: "extract_inventory_data", RecordCount: len(rows),
	}
	reorderPoints, seen := map[string]int{}, map[[2]string]bool{}
	for _, item := range rows {
		f.TotalQuantityOnHand += item.OnHand
		warehouse, product := f.WarehouseSummary[item.Warehouse], f.ProductInventory[item.ProductID]
		warehouse.TotalQuantity += item.OnHand
		product.TotalQuantity += item.OnHand
		reorderPoints[item.ProductID] += item.ReorderPoint
		if item.OnHand <= item.ReorderPoint {
			warehouse.ReorderAlerts++
		}
		if shelf := [2]string{item.Warehouse, item.ProductID}; !seen[shelf] { // it may have two rows
			seen[shelf] = true
			warehouse.ProductCount++
			product.WarehouseCount++
		}
		f.WarehouseSummary[item.Warehouse], f.ProductInventory[item.ProductID] = warehouse, product
	}
	for id, product := range f.ProductInventory {
		if product.TotalQuantity <= reorderPoints[id] {
			product.NeedsReorder = true
			f.ProductInventory[id] = product
			f.ReorderAlerts++
		}
	}
	return f
}
