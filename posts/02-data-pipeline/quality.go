package main

import "github.com/tasker-systems/tasker-go/tasker"

// Quality is what data must be like to get near a dashboard.
type Quality struct {
	MinOrders    int     `json:"min_order_records"`
	MinInventory int     `json:"min_inventory_records"`
	MinCustomers int     `json:"min_customer_records"`
	MaxNullShare float64 `json:"max_null_share"` // of rows that lack something, from 0 to 1
}

// checkQuality is the gate. It stands right behind the source, since there
// another attempt reads anew; and it is permanent, since a source that answers
// nonsense in good order wants a person. Nothing is published past it.
func checkQuality[R Row](source string, rows []R, least int, maxNullShare float64) error {
	incomplete := 0
	for _, row := range rows {
		if !row.Complete() {
			incomplete++
		}
	}
	share := 0.0
	if len(rows) > 0 {
		share = float64(incomplete) / float64(len(rows))
	}
	if len(rows) >= least && share <= maxNullShare {
		return nil
	}
	return tasker.Permanent("DATA_QUALITY_FAILED",
		"%s gave %d rows, %d of them incomplete; there must be %d, and a share of %g may be incomplete",
		source, len(rows), incomplete, least, maxNullShare).
		With("source", source).
		With("rows", len(rows)).With("min_rows", least).
		With("null_share", share).With("max_null_share", maxNullShare)
}
