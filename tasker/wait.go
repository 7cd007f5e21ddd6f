package tasker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Wait returns when a task has ended, or has come to rest and needs somebody:
// it is blocked_by_failures, or waits for an answer. A task that waits for
// another rests once that one does.
func (e *Engine) Wait(ctx context.Context, id ID) (*Task, error) {
	bell, stop := e.waiters.add(e.store, id)
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
		rests, err := e.rests(ctx, &rows[0])
		switch {
		case err != nil:
			return nil, err
		case rests || rows[0].State.Final():
			return e.Task(ctx, id)
		}
		select {
		case ended := <-bell:
			if ended != nil {
				return ended, nil
			}
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// rests says whether a task needs somebody to go on. One that waits for others
// does if all of these do; those above wait for it themselves.
func (e *Engine) rests(ctx context.Context, row *Row, above ...ID) (bool, error) {
	if row.State != TaskWaiting {
		return row.State == TaskBlocked, nil
	}
	task, err := e.Task(ctx, row.ID)
	if err != nil || task.State != TaskWaiting {
		return false, err // it has gone on since the row was read
	}
	asks := func(s TaskStep) bool { return s.Wait != nil && s.Wait.Task.IsZero() }
	if slices.ContainsFunc(task.Steps, asks) {
		return true, nil
	}
	awaited := slices.DeleteFunc(task.awaited(), func(id ID) bool { return slices.Contains(above, id) })
	for ids := range slices.Chunk(awaited, MaxRows) {
		rows, err := e.store.Rows(ctx, Filter{IDs: ids, Limit: len(ids)})
		if err != nil || len(rows) < len(ids) {
			return false, err // who waits for what is not there any more goes on
		}
		for i := range rows {
			if rests, err := e.rests(ctx, &rows[i], append(above, row.ID)...); !rests {
				return false, err
			}
		}
	}
	return true, nil
}

// waiters are those who wait for tasks to end. They share one ear at the
// store, which is there as long as somebody waits.
type waiters struct {
	mu   sync.Mutex
	by   map[ID][]bell
	own  map[ID]bool // this engine is about to end these, and will tell with the task
	deaf func()
}

// bell rings when a task may have ended. With the task when it is known to
// have: this process ended it.
type bell chan *Task

// add gives a bell for a task.
func (ws *waiters) add(store Store, id ID) (rings bell, stop func()) {
	c := make(bell, 1)
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.by) == 0 {
		ws.by, ws.own = map[ID][]bell{}, map[ID]bool{}
		ws.deaf = store.Listen(ws.hear)
	}
	ws.by[id] = append(ws.by[id], c)
	return c, func() { ws.drop(id, c) }
}

func (ws *waiters) drop(id ID, c bell) {
	ws.mu.Lock()
	ws.by[id] = slices.DeleteFunc(ws.by[id], func(other bell) bool { return other == c })
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
		if !ws.own[h.Task] {
			ring(ws.by[h.Task], nil)
		}
		return
	}
	for _, all := range ws.by {
		ring(all, nil)
	}
}

// expect says that this engine is about to store a task's end.
func (ws *waiters) expect(id ID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.by[id]) > 0 {
		ws.own[id] = true
	}
}

// ended tells those who wait for a task how it has ended, or, with nil, that
// they have to look.
func (ws *waiters) ended(id ID, t *Task) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.own, id)
	ring(ws.by[id], t)
}

func ring(bells []bell, t *Task) {
	for _, b := range bells {
		select {
		case b <- t:
		default: // it has rung already, and whoever waits will look
		}
	}
}
