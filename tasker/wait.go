package tasker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Wait returns when a task has ended, or has come to rest in a state that it
// does not leave by itself: blocked_by_failures, or waiting.
func (e *Engine) Wait(ctx context.Context, id ID) (*Task, error) {
	changed, stop := e.waiters.add(e.store, id)
	defer stop()
	tick := time.NewTicker(e.config.Poll)
	defer tick.Stop()
	for {
		rows, err := e.store.Rows(ctx, Filter{IDs: []ID{id}})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("wait for task %s: %w", id, ErrNotFound)
		}
		if s := rows[0].State; s.Final() || s == TaskBlocked || s == TaskWaiting {
			return e.Task(ctx, id)
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// waiters are those who wait for tasks to end. They share one ear at the
// store, which is there as long as somebody waits.
type waiters struct {
	mu   sync.Mutex
	by   map[ID][]chan struct{}
	deaf func()
}

// add gives a channel that is sent to when the task may have ended.
func (ws *waiters) add(store Store, id ID) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.by) == 0 {
		ws.by = map[ID][]chan struct{}{}
		ws.deaf = store.Listen(ws.hear)
	}
	ws.by[id] = append(ws.by[id], c)
	return c, func() { ws.drop(id, c) }
}

func (ws *waiters) drop(id ID, c chan struct{}) {
	ws.mu.Lock()
	ws.by[id] = slices.DeleteFunc(ws.by[id], func(other chan struct{}) bool { return other == c })
	if len(ws.by[id]) == 0 {
		delete(ws.by, id)
	}
	deaf := ws.deaf
	last := len(ws.by) == 0
	ws.mu.Unlock()
	if last {
		deaf()
	}
}

func (ws *waiters) hear(h Hint) {
	if h.Kind != HintEnd {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !h.Task.IsZero() {
		ring(ws.by[h.Task])
		return
	}
	for _, all := range ws.by {
		ring(all)
	}
}

func ring(bells []chan struct{}) {
	for _, c := range bells {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
