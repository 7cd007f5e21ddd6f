package post

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/tasker-systems/tasker-go/tasker"
)

// World is the simulated world around a run: what the services of a post
// remember. Every task has a world of its own, shared with its sub-tasks, so
// that a hundred tasks of one run do not take each other's stock.
//
// A world belongs to its run. In memory it ends with the process. On
// PostgreSQL it is stored whenever it changes, as JSON, and a run that goes on
// with a dead one finds its world.
type World struct {
	mu     sync.Mutex
	kept   map[string]any
	shared map[string]any
	atEnd  []func()
	disk   *disk // nil in memory
	flags  map[string][]string
	tell   func(subject, text string)
}

// NewWorld makes an empty world in memory.
func NewWorld() *World {
	return &World{kept: map[string]any{}, shared: map[string]any{}, tell: func(string, string) {}}
}

// Flag gives the values of one of the post's own flags, as the command line
// has them.
func (w *World) Flag(name string) []string { return w.flags[name] }

// Say puts a line into the timeline: a service opens its breaker.
func (w *World) Say(subject, format string, args ...any) {
	w.tell(subject, fmt.Sprintf(format, args...))
}

// AtEnd has f called when the process is done with the run, the last first.
func (w *World) AtEnd(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.atEnd = append(w.atEnd, f)
}

func (w *World) end() {
	w.mu.Lock()
	all := w.atEnd
	w.atEnd = nil
	w.mu.Unlock()
	for _, f := range slices.Backward(all) {
		f()
	}
}

// Share makes a thing that all tasks of the process share and that nothing
// keeps: a server, a breaker. It is made once for each name.
func Share[T any](w *World, name string, fresh func() T) T {
	w.mu.Lock()
	known, ok := w.shared[name].(T)
	w.mu.Unlock()
	if ok {
		return known
	}
	made := fresh() // which may share and keep things itself
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.shared[name].(T); ok {
		return known
	}
	w.shared[name] = made
	return made
}

// Kept is one thing that a world remembers: a ledger, a stock.
type Kept[T any] struct {
	name  string
	fresh func() T
	disk  *disk

	mu sync.Mutex
	by map[tasker.ID]*cell[T]
}

// cell is the thing in the world of one task.
type cell[T any] struct {
	mu     sync.Mutex
	value  T
	stored saved // as the database has it; not used in memory
	unsure bool  // the last change may or may not be stored
}

// Keep finds what a world remembers under a name. fresh makes its first
// value, in each task's world, and always the same. T must come back from
// JSON as it was: what is in unexported fields is lost.
func Keep[T any](w *World, name string, fresh func() T) *Kept[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.kept[name].(*Kept[T]); ok {
		return known
	}
	k := &Kept[T]{name: name, fresh: fresh, disk: w.disk, by: map[tasker.ID]*cell[T]{}}
	w.kept[name] = k
	return k
}

// Do gives f the value of the world that ctx belongs to: that of the handler's
// task, or, outside of handlers, one that all such callers share. f has it to
// itself, and what it changes is kept whether or not it returns an error.
//
// On PostgreSQL the change is stored when Do returns. If it cannot be, the
// change has not happened, and the error is retryable.
func (k *Kept[T]) Do(ctx context.Context, f func(*T) error) error {
	var root tasker.ID
	if a := tasker.Current(ctx); a != nil {
		root = a.RootID
	}
	return k.DoIn(ctx, root, f)
}

// DoIn is Do in the world of a task that the caller names: a server does not
// run in its caller's context.
func (k *Kept[T]) DoIn(ctx context.Context, root tasker.ID, f func(*T) error) error {
	c, err := k.of(root)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.disk == nil {
		return f(&c.value)
	}
	return k.doStored(ctx, c, root, f)
}

// doStored has f work on a copy, which takes the value's place once it is
// stored.
func (k *Kept[T]) doStored(ctx context.Context, c *cell[T], root tasker.ID, f func(*T) error) error {
	if c.unsure {
		if err := k.read(ctx, c, root); err != nil {
			return notStored(k.name, err)
		}
	}
	draft, err := decode[T](c.stored.value)
	if err != nil {
		return err
	}
	verdict := f(&draft)
	changed, err := encode(k.name, draft)
	if err != nil {
		return err
	}
	if bytes.Equal(changed, c.stored.value) {
		return verdict
	}
	next := saved{changed, c.stored.version + 1}
	if err := k.disk.write(ctx, place{root, k.name}, next); err != nil {
		c.unsure = true
		return notStored(k.name, err)
	}
	c.value, c.stored = draft, next
	return verdict
}

// codeWorld is the code of a change that could not be stored.
const codeWorld = "WORLD_NOT_STORED"

func notStored(name string, err error) error {
	return tasker.Retryable(codeWorld, "the change of the simulated world, %s, is not stored: %w", name, err)
}

// read puts a cell on what the database has: the last change may have come
// through although we were told of an error.
func (k *Kept[T]) read(ctx context.Context, c *cell[T], root tasker.ID) error {
	found, err := k.disk.read(ctx, place{root, k.name})
	if err != nil {
		return err
	}
	if err := c.put(found, k); err != nil {
		return err
	}
	c.unsure = false
	return nil
}

// Of reads the value of a task's world. f must not keep it. On PostgreSQL it
// is what is stored, also when another process has changed it meanwhile; where
// that cannot be read, it is the last that this process knew.
func (k *Kept[T]) Of(task tasker.ID, f func(T)) {
	c, err := k.of(task)
	if err != nil {
		f(k.fresh())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.disk != nil {
		_ = k.read(context.Background(), c, task)
	}
	f(c.value)
}

// of finds a task's cell, or makes it: with what the run left behind when it
// died, or fresh.
func (k *Kept[T]) of(root tasker.ID) (*cell[T], error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.by[root]; c != nil {
		return c, nil
	}
	c := &cell[T]{}
	if k.disk == nil {
		c.value = k.fresh()
	} else if err := c.put(k.disk.found[place{root, k.name}], k); err != nil {
		return nil, err
	}
	k.by[root] = c
	return c, nil
}

// put sets a cell to what is stored, or to a fresh value where nothing is.
func (c *cell[T]) put(found saved, k *Kept[T]) (err error) {
	if found.version == 0 {
		if found.value, err = encode(k.name, k.fresh()); err != nil {
			return err
		}
	}
	value, err := decode[T](found.value)
	if err != nil {
		return err
	}
	c.value, c.stored = value, found
	return nil
}

func encode[T any](name string, value T) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, tasker.Permanent(codeWorld, "the simulated world, %s, is not JSON: %w", name, err)
	}
	return raw, nil
}

func decode[T any](raw []byte) (value T, err error) {
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, tasker.Permanent(codeWorld, "the simulated world does not come back from JSON: %w", fmt.Errorf("%T: %w", value, err))
	}
	return value, nil
}
