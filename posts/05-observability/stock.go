package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Stock is a simulated inventory service. It goes down as goods are taken. Its
// last deployment changed a timeout, which is what this post is about.
type Stock struct {
	shelves *post.Kept[Shelves]
	line    *line
}

// Shelves is what the stock remembers.
type Shelves struct {
	Left   map[string]int64 // pieces by product
	Taken  map[string]Taken // by key
	Closed map[string]bool  // keys that take nothing any more
}

// Taken is what was taken out under a key.
type Taken struct {
	Items []UpdatedItem
	At    time.Time
}

// ShortError says that there is not enough of a product.
type ShortError struct {
	SKU               string
	Available, Wanted int64
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("of %s there are %d, not %d", e.SKU, e.Available, e.Wanted)
}

// onTheShelves is what each world begins with.
var onTheShelves = map[string]int64{"WIDGET-001": 50, "GADGET-002": 30, "PREMIUM-001": 10}

func newStock(w *post.World, trouble incident) *Stock {
	return &Stock{
		post.Keep(w, "stock", func() Shelves {
			return Shelves{maps.Clone(onTheShelves), map[string]Taken{}, map[string]bool{}}
		}),
		newLine(w, "stock", trouble.stock),
	}
}

// Deduct takes all items or none, once for each key.
func (s *Stock) Deduct(ctx context.Context, key string, items []CartItem) (taken Taken, err error) {
	err = s.line.call(ctx, "deduct", func(ctx context.Context) error {
		return s.shelves.Do(ctx, func(shelves *Shelves) (err error) {
			taken, err = shelves.take(key, items)
			return err
		})
	})
	return taken, err
}

func (s *Shelves) take(key string, items []CartItem) (Taken, error) {
	if s.Closed[key] {
		return Taken{}, tasker.Permanent("STOCK_CLOSED", "the goods were put back before")
	}
	if known, there := s.Taken[key]; there {
		return known, nil
	}
	left, taken := maps.Clone(s.Left), Taken{At: time.Now().UTC()}
	for _, item := range items {
		if left[item.SKU] < item.Quantity {
			return Taken{}, &ShortError{item.SKU, left[item.SKU], item.Quantity}
		}
		left[item.SKU] -= item.Quantity
		taken.Items = append(taken.Items, UpdatedItem{item.SKU, item.Quantity, left[item.SKU]})
	}
	s.Left, s.Taken[key] = left, taken
	return taken, nil
}

// Restore puts back what was taken under a key, and tells what that is. A call
// that is still on its way comes too late.
func (s *Stock) Restore(ctx context.Context, key string) (items []UpdatedItem, err error) {
	err = s.shelves.Do(ctx, func(shelves *Shelves) error {
		shelves.Closed[key] = true
		items = shelves.Taken[key].Items
		delete(shelves.Taken, key)
		for i := range items {
			shelves.Left[items[i].SKU] += items[i].QuantityDeducted
			items[i].NewStockLevel = shelves.Left[items[i].SKU]
		}
		return nil
	})
	return items, err
}
