package main

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// CartItem is one line of the cart as the customer sent it. A price in it is
// not read: the catalogue's counts.
type CartItem struct {
	ProductID int64 `json:"product_id"`
	Quantity  int64 `json:"quantity"`
}

// Cart is a priced cart, which the later steps rely on.
type Cart struct {
	Items       []PricedItem `json:"validated_items"`
	Subtotal    money.Amount `json:"subtotal"`
	Tax         money.Amount `json:"tax"`
	Shipping    money.Amount `json:"shipping"`
	Total       money.Amount `json:"total"`
	ItemCount   int          `json:"item_count"` // lines, not units
	ValidatedAt time.Time    `json:"validated_at"`
}

// PricedItem is one line with its price.
type PricedItem struct {
	ProductID int64        `json:"product_id"`
	Name      string       `json:"name"`
	Price     money.Amount `json:"price"`
	Quantity  int64        `json:"quantity"`
	LineTotal money.Amount `json:"line_total"`
}

type cartInput struct {
	Items []CartItem `context:"cart_items"`
}

// ValidateCart prices the cart and looks whether all of it can be had. What
// is short may come back, so that is worth another attempt; a product that
// does not exist is not.
func (s *Shop) ValidateCart(ctx context.Context, in cartInput) (Cart, error) {
	if err := checkItems(in.Items); err != nil {
		return Cart{}, err
	}
	if err := s.Stock.Check(ctx, in.Items); err != nil {
		return Cart{}, stockVerdict(err)
	}
	cart := price(in.Items)
	cart.ValidatedAt = time.Now().UTC()
	noteCart(ctx, cart)
	return cart, nil
}

func noteCart(ctx context.Context, cart Cart) {
	tasker.Annotate(ctx, "operation", "validate_cart")
	tasker.Annotate(ctx, "execution_hints", cartHints{cart.ItemCount, cart.Total, 0.08, cart.Shipping})
	tasker.Annotate(ctx, "input_refs", []string{"context.cart_items"})
}

type cartHints struct {
	ItemsValidated int          `json:"items_validated"`
	TotalAmount    money.Amount `json:"total_amount"`
	TaxRate        float64      `json:"tax_rate"`
	ShippingCost   money.Amount `json:"shipping_cost"`
}

// checkItems holds the list to its form, before any product is looked up.
func checkItems(items []CartItem) error {
	if len(items) == 0 {
		return tasker.Permanent("MISSING_CART_ITEMS", "the cart is empty")
	}
	for i, item := range items {
		if item.ProductID == 0 {
			return tasker.Permanent("MISSING_PRODUCT_ID", "line %d of the cart names no product", i+1)
		}
	}
	for i, item := range items {
		if item.Quantity <= 0 {
			return tasker.Permanent("INVALID_QUANTITY", "line %d of the cart wants %d pieces", i+1, item.Quantity)
		}
	}
	return nil
}

const taxRate = 800 // basis points: 8 %

// price adds up a cart that the stock can serve.
func price(items []CartItem) Cart {
	cart := Cart{ItemCount: len(items)}
	var units int64
	for _, item := range items {
		product := catalogue[item.ProductID]
		line := PricedItem{
			ProductID: product.ID, Name: product.Name, Price: product.Price,
			Quantity: item.Quantity, LineTotal: product.Price.Times(item.Quantity),
		}
		cart.Items = append(cart.Items, line)
		cart.Subtotal += line.LineTotal
		units += item.Quantity
	}
	cart.Tax = cart.Subtotal.Share(taxRate)
	cart.Shipping = shippingFor(units)
	cart.Total = cart.Subtotal + cart.Tax + cart.Shipping
	return cart
}

// shippingFor goes by weight. A unit weighs half a pound, so two pounds are
// four units, and ten are twenty.
func shippingFor(units int64) money.Amount {
	switch {
	case units <= 4:
		return 599
	case units <= 20:
		return 999
	default:
		return 1499
	}
}
