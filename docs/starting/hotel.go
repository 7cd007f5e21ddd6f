package main

import (
	"context"
	"embed"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

//go:embed templates/*.yaml
var templates embed.FS

// Service is somebody else's: what is asked of it under a key is done once,
// and can be taken back by that key. Behind a real one is an HTTP client.
type Service interface {
	Do(ctx context.Context, key string, what any) error
	TakeBack(ctx context.Context, key string) error
}

// Hotel is what the handlers work with.
type Hotel struct{ Rooms, Cards Service }

// Handlers is the workflow's table of contents.
func (h *Hotel) Handlers() tasker.Handlers {
	return tasker.Handlers{
		"hotel.HoldRoom":    tasker.Step(h.HoldRoom),
		"hotel.ReleaseRoom": tasker.Undo(h.ReleaseRoom),
		"hotel.ChargeCard":  tasker.Step(h.ChargeCard),
		"hotel.RefundCard":  tasker.Undo(h.RefundCard),
	}
}

type nothing struct{}

// prices are the hotel's. What a request says of a price is not read.
var prices = map[string]money.Amount{"11": 129_00, "12": 249_90}

type roomInput struct {
	Room string `context:"room"`
}

// Held is a room that is kept for a guest, at its price.
type Held struct {
	Room  string       `json:"room"`
	Price money.Amount `json:"price"`
}

// HoldRoom keeps the room for the guest.
func (h *Hotel) HoldRoom(ctx context.Context, in roomInput) (Held, error) {
	price, ok := prices[in.Room]
	if !ok {
		return Held{}, tasker.Permanent("UNKNOWN_ROOM", "there is no room %q", in.Room)
	}
	held := Held{in.Room, price}
	return held, h.Rooms.Do(ctx, tasker.Key(ctx), held)
}

// ReleaseRoom gives the room back, if it was held.
func (h *Hotel) ReleaseRoom(ctx context.Context, _ nothing, _ *Held) (nothing, error) {
	return nothing{}, h.Rooms.TakeBack(ctx, tasker.Key(ctx))
}

type chargeInput struct {
	Card string `context:"card"`
	Held Held   `result:"hold_room"`
}

// ChargeCard takes the guest's money.
func (h *Hotel) ChargeCard(ctx context.Context, in chargeInput) (nothing, error) {
	return nothing{}, h.Cards.Do(ctx, tasker.Key(ctx), in)
}

// RefundCard gives the money back, if it was taken.
func (h *Hotel) RefundCard(ctx context.Context, _ nothing, _ *nothing) (nothing, error) {
	return nothing{}, h.Cards.TakeBack(ctx, tasker.Key(ctx))
}
