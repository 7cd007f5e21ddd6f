package post

import (
	"context"
	"sync"

	"github.com/tasker-systems/tasker-go/tasker"
)

// World is the simulated world around a run: what the services of a post
// remember. Every task has a world of its own, shared with its sub-tasks, so
// that a hundred tasks of one run do not take each other's stock.
type World struct {
	mu   sync.Mutex
	kept map[string]any
}

// NewWorld makes an empty world.
func NewWorld() *World { return &World{kept: map[string]any{}} }

// Kept is one thing that a world remembers: a ledger, a stock.
type Kept[T any] struct {
	mu    sync.Mutex
	fresh func() T
	by    map[tasker.ID]*cell[T]
}

type cell[T any] struct {
	mu    sync.Mutex
	value T
}

// Keep finds what a world remembers under a name. fresh makes its first
// value, in each task's world.
func Keep[T any](w *World, name string, fresh func() T) *Kept[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.kept[name].(*Kept[T]); ok {
		return known
	}
	k := &Kept[T]{fresh: fresh, by: map[tasker.ID]*cell[T]{}}
	w.kept[name] = k
	return k
}

// Do gives f the value of the world that ctx belongs to: that of the handler's
// task, or, outside of handlers, one that all such callers share. f has it to
// itself, and what it changes is kept whether or not it returns an error.
func (k *Kept[T]) Do(ctx context.Context, f func(*T) error) error {
	var root tasker.ID
	if a := tasker.Current(ctx); a != nil {
		root = a.RootID
	}
	c := k.of(root)
	c.mu.Lock()
	defer c.mu.Unlock()
	return f(&c.value)
}

// Of reads the value of a task's world. f must not keep it.
func (k *Kept[T]) Of(task tasker.ID, f func(T)) {
	c := k.of(task)
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.value)
}

func (k *Kept[T]) of(root tasker.ID) *cell[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.by[root]
	if c == nil {
		c = &cell[T]{value: k.fresh()}
		k.by[root] = c
	}
	return c
}
