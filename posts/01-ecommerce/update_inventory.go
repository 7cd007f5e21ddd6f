package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Inventory is what was reserved for an order.
type Inventory struct {
	Products      []ReservedProduct `json:"updated_products"`
	TotalReserved int64             `json:"total_items_reserved"`
	Changes       []StockChange     `json:"inventory_changes"`
	LogID         string            `json:"inventory_log_id"`
	UpdatedAt     time.Time         `json:"updated_at"`
}

// ReservedProduct is one product of a reservation.
type ReservedProduct struct {
	ProductID     int64  `json:"product_id"`
	Name          string `json:"name"`
	PreviousStock int64  `json:"previous_stock"`
	NewStock      int64  `json:"new_stock"`
	Quantity      int64  `json:"quantity_reserved"`
	ReservationID string `json:"reservation_id"`
}

// StockChange is one entry of the stock's log.
type StockChange struct {
	ProductID     int64     `json:"product_id"`
	ChangeType    string    `json:"change_type"`
	Quantity      int64     `json:"quantity"` // negative: taken out
	Reason        string    `json:"reason"`
	Timestamp     time.Time `json:"timestamp"`
	ReservationID string    `json:"reservation_id"`
	LogID         string    `json:"inventory_log_id"`
}

type reserveInput struct {
	Customer *Customer `context:"customer_info"`
	Cart     Cart      `result:"validate_cart"`
}

// ReserveStock takes the cart out of the stock, all of it or nothing. The
// stock remembers the key, as the gateway does.
func (s *Shop) ReserveStock(ctx context.Context, in reserveInput) (Inventory, error) {
	switch {
	case len(in.Cart.Items) == 0:
		return Inventory{}, tasker.Permanent("MISSING_VALIDATED_ITEMS", "the cart has no items")
	case in.Customer == nil:
		return Inventory{}, tasker.Permanent("MISSING_CUSTOMER_INFO", "the order names no customer")
	}
	items := make([]CartItem, len(in.Cart.Items))
	for i, item := range in.Cart.Items {
		items[i] = CartItem{item.ProductID, item.Quantity}
	}
	reservation, err := s.Stock.Reserve(ctx, tasker.Key(ctx), items)
	if err != nil {
		return Inventory{}, stockVerdict(err)
	}
	inventory := inventoryOf(reservation)
	noteInventory(ctx, inventory)
	return inventory, nil
}

func noteInventory(ctx context.Context, inventory Inventory) {
	tasker.Annotate(ctx, "operation", "update_inventory")
	tasker.Annotate(ctx, "execution_hints", inventoryHints{len(inventory.Products), inventory.TotalReserved, inventory.UpdatedAt})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Inventory-Service": "MockInventoryService",
		"X-Reservation-Count": strconv.Itoa(len(inventory.Products)),
		"X-Total-Quantity":    strconv.FormatInt(inventory.TotalReserved, 10),
	})
}

type inventoryHints struct {
	ProductsUpdated    int       `json:"products_updated"`
	TotalItemsReserved int64     `json:"total_items_reserved"`
	ReservedAt         time.Time `json:"reservation_timestamp"`
}

func inventoryOf(r Reservation) Inventory {
	inventory := Inventory{LogID: r.LogID, UpdatedAt: r.At}
	for _, l := range r.Lines {
		inventory.TotalReserved += l.Quantity
		inventory.Products = append(inventory.Products, ReservedProduct{
			ProductID: l.ProductID, Name: catalogue[l.ProductID].Name,
			PreviousStock: l.Before, NewStock: l.Before - l.Quantity, Quantity: l.Quantity, ReservationID: l.ID,
		})
		inventory.Changes = append(inventory.Changes, StockChange{
			ProductID: l.ProductID, ChangeType: "reservation", Quantity: -l.Quantity, Reason: "order_checkout",
			Timestamp: r.At, ReservationID: l.ID, LogID: l.LogID,
		})
	}
	return inventory
}

// stockVerdict decides whether another attempt could help: what is short may
// be delivered, what does not exist will not.
func stockVerdict(err error) error {
	var short *ShortError
	switch {
	case errors.As(err, &short):
		return tasker.Retryable("INSUFFICIENT_STOCK", "%w", err).After(30*time.Second).
			With("product_id", short.ProductID).
			With("product_name", catalogue[short.ProductID].Name).
			With("available_stock", short.Available).
			With("requested_quantity", short.Requested)
	case errors.Is(err, ErrClosed):
		return tasker.Permanent("RESERVATION_CLOSED", "%w", err)
	case errors.Is(err, ErrUnknownProduct):
		return tasker.Permanent("PRODUCT_NOT_FOUND", "%w", err)
	case errors.Is(err, ErrInactiveProduct):
		return tasker.Permanent("PRODUCT_INACTIVE", "%w", err)
	default:
		return err
	}
}
