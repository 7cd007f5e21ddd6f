package main

import "github.com/tasker-systems/tasker-go/tasker/money"

// Sale is an order line in the sales database.
type Sale struct {
	OrderID   string       `json:"order_id"`
	Date      Day          `json:"date"`
	ProductID string       `json:"product_id"`
	Quantity  int          `json:"quantity"`
	Amount    money.Amount `json:"amount"`
}

// In says whether the sale was made in the window.
func (s Sale) In(window DateRange) bool { return window.Has(s.Date) }

// Complete says whether the sale can be counted.
func (s Sale) Complete() bool { return s.OrderID != "" && s.Date != "" && s.ProductID != "" }

var sales = []Sale{
	{"ORD-001", "2025-11-01", "PROD-A", 5, 499_95},
	{"ORD-002", "2025-11-05", "PROD-B", 3, 299_97},
	{"ORD-003", "2025-11-10", "PROD-A", 2, 199_98},
	{"ORD-004", "2025-11-15", "PROD-C", 10, 1499_90},
	{"ORD-005", "2025-11-18", "PROD-B", 7, 699_93},
}

// StockItem is what one warehouse has of one product.
type StockItem struct {
	ProductID    string `json:"product_id"`
	SKU          string `json:"sku"`
	Warehouse    string `json:"warehouse"`
	OnHand       int    `json:"quantity_on_hand"`
	ReorderPoint int    `json:"reorder_point"`
}

// In is always so: the stock is what it is now.
func (i StockItem) In(DateRange) bool { return true }

// Complete says whether the row can be counted.
func (i StockItem) Complete() bool { return i.ProductID != "" && i.SKU != "" && i.Warehouse != "" }

var inventory = []StockItem{
	{"PROD-A", "SKU-A-001", "WH-01", 150, 50},
	{"PROD-B", "SKU-B-002", "WH-01", 75, 25},
	{"PROD-C", "SKU-C-003", "WH-02", 200, 100},
	{"PROD-A", "SKU-A-001", "WH-02", 100, 50},
	{"PROD-B", "SKU-B-002", "WH-03", 50, 25},
	{"PROD-D", "SKU-D-004", "WH-01", 80, 30},
	{"PROD-D", "SKU-D-004", "WH-03", 40, 20},
	{"PROD-E", "SKU-E-005", "WH-02", 120, 60},
}

// Customer is a customer as the CRM has them.
type Customer struct {
	CustomerID    string       `json:"customer_id"`
	Name          string       `json:"name"`
	Tier          string       `json:"tier"`
	LifetimeValue money.Amount `json:"lifetime_value"`
	JoinDate      Day          `json:"join_date"`
}

// In is always so: a customer counts whenever they joined.
func (c Customer) In(DateRange) bool { return true }

// Complete says whether the customer can be counted.
func (c Customer) Complete() bool { return c.CustomerID != "" && c.Tier != "" }

var customers = []Customer{
	{"CUST-001", "Alice Johnson", "gold", 5000_00, "2024-01-15"},
	{"CUST-002", "Bob Smith", "silver", 2500_00, "2024-03-20"},
	{"CUST-003", "Carol White", "premium", 15000_00, "2023-11-10"},
	{"CUST-004", "David Brown", "standard", 500_00, "2025-01-05"},
	{"CUST-005", "Eve Davis", "gold", 7500_00, "2024-06-12"},
}
