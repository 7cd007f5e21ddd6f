package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Product is an entry of the catalogue.
type Product struct {
	ID     int64
	Name   string
	Price  money.Amount
	Stock  int64 // at the beginning of each world
	Active bool
}

var catalogue = map[int64]Product{
	1: {1, "Widget A", 2999, 100, true},
	2: {2, "Widget B", 4999, 50, true},
	3: {3, "Widget C", 1999, 25, true},
	4: {4, "Widget D", 3999, 0, true},
	5: {5, "Widget E", 5999, 10, false},
}

// Stock is a simulated inventory: it goes down when it is reserved, and comes
// back when a reservation runs out before an order makes it good.
type Stock struct{ shelves *post.Kept[Shelves] }

// Shelves is what the stock remembers.
type Shelves struct {
	Left         map[int64]int64 // pieces by product
	Reservations map[string]*Reservation
	Closed       map[string]bool // keys that reserve nothing any more
}

// Reservation is stock that was taken out under a key.
type Reservation struct {
	Lines     []ReservedLine
	LogID     string
	At        time.Time
	Expires   time.Time
	Committed bool
}

// ReservedLine is one product of a reservation.
type ReservedLine struct {
	ProductID, Quantity, Before int64
	ID, LogID                   string
}

// What the stock may answer, besides [ShortError].
var (
	ErrUnknownProduct  = errors.New("there is no such product")
	ErrInactiveProduct = errors.New("the product is not sold any more")
	ErrNoReservation   = errors.New("there is no such reservation")
	ErrClosed          = errors.New("the reservation was given back before")
)

// ShortError says that there is not enough of a product.
type ShortError struct{ ProductID, Available, Requested int64 }

func (e *ShortError) Error() string {
	return fmt.Sprintf("of product %d there are %d, not %d", e.ProductID, e.Available, e.Requested)
}

// reservationTime is how long a reservation stands without an order.
const reservationTime = 15 * time.Minute

func newStock(w *post.World) *Stock {
	return &Stock{post.Keep(w, "stock", func() Shelves {
		left := map[int64]int64{}
		for id, product := range catalogue {
			left[id] = product.Stock
		}
		return Shelves{Left: left, Reservations: map[string]*Reservation{}, Closed: map[string]bool{}}
	})}
}

// Check looks whether all items can be had now, without taking any.
func (s *Stock) Check(ctx context.Context, items []CartItem) error {
	return s.shelves.Do(ctx, func(shelves *Shelves) error {
		shelves.expire(time.Now())
		_, err := shelves.lines(items)
		return err
	})
}

// Reserve takes all items out of the stock, or none of them. A key that the
// stock knows is answered with its reservation.
func (s *Stock) Reserve(ctx context.Context, key string, items []CartItem) (Reservation, error) {
	var reservation Reservation
	err := s.shelves.Do(ctx, func(shelves *Shelves) error {
		now := time.Now().UTC()
		shelves.expire(now)
		if shelves.Closed[key] {
			return ErrClosed
		}
		if known := shelves.Reservations[key]; known != nil {
			reservation = *known
			return nil
		}
		lines, err := shelves.lines(items)
		if err != nil {
			return err
		}
		for i, l := range lines {
			product := fmt.Sprint(l.ProductID)
			lines[i].ID = post.DeriveID("rsv_", 16, key, product)
			lines[i].LogID = post.DeriveID("log_", 12, key, product)
			shelves.Left[l.ProductID] -= l.Quantity
		}
		reservation = Reservation{Lines: lines, LogID: post.DeriveID("log_", 16, key), At: now, Expires: now.Add(reservationTime)}
		kept := reservation
		shelves.Reservations[key] = &kept
		return nil
	})
	return reservation, err
}

// Commit makes a reservation good for ever: its order is about to be written.
func (s *Stock) Commit(ctx context.Context, key string) error {
	return s.shelves.Do(ctx, func(shelves *Shelves) error {
		shelves.expire(time.Now())
		r := shelves.Reservations[key]
		if r == nil {
			return ErrNoReservation
		}
		r.Committed = true
		return nil
	})
}

// Release puts back what was reserved under a key, and tells what that is:
// nothing where there is no such reservation. The key is closed, so that a
// request which is still on its way takes nothing any more.
func (s *Stock) Release(ctx context.Context, key string) (released Reservation, err error) {
	err = s.shelves.Do(ctx, func(shelves *Shelves) error {
		shelves.Closed[key] = true
		if known := shelves.Reservations[key]; known != nil {
			released = *known
			shelves.putBack(key)
		}
		return nil
	})
	return released, err
}

// expire puts back what no order came for.
func (s *Shelves) expire(now time.Time) {
	for key, r := range s.Reservations {
		if !r.Committed && !now.Before(r.Expires) {
			s.putBack(key)
		}
	}
}

func (s *Shelves) putBack(key string) {
	for _, l := range s.Reservations[key].Lines {
		s.Left[l.ProductID] += l.Quantity
	}
	delete(s.Reservations, key)
}

// lines adds up the items by product and holds them to what is left. Two
// lines of one product count together, or a stock of 25 would serve two
// orders of 20.
func (s *Shelves) lines(items []CartItem) ([]ReservedLine, error) {
	wanted := map[int64]int64{}
	for _, item := range items {
		product, known := catalogue[item.ProductID]
		left := s.Left[item.ProductID]
		switch already := wanted[item.ProductID]; {
		case !known:
			return nil, fmt.Errorf("product %d: %w", item.ProductID, ErrUnknownProduct)
		case !product.Active:
			return nil, fmt.Errorf("%s: %w", product.Name, ErrInactiveProduct)
		case item.Quantity > left-already:
			return nil, &ShortError{item.ProductID, left, already + item.Quantity}
		}
		wanted[item.ProductID] += item.Quantity
	}
	var lines []ReservedLine
	for _, id := range slices.SortedFunc(maps.Keys(wanted), cmp.Compare[int64]) {
		lines = append(lines, ReservedLine{ProductID: id, Quantity: wanted[id], Before: s.Left[id]})
	}
	return lines, nil
}
