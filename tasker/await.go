package tasker

import (
	"context"
	"slices"
)

// A task whose steps await other tasks rests until one of those has ended. A
// sub-task tells of its end itself, by a poke; any other is looked for by the
// beats of all workers.

// awaits are the tasks whose end must be looked for while the task is at rest.
func (h *held) awaits() []ID {
	return slices.DeleteFunc(h.task.awaited(), func(id ID) bool { return h.children[id] })
}

// lookAtAwaited finds out whether tasks that steps wait for have ended. It
// happens after the row's poke was read, so that an end which this look does
// not see raises the poke, and the task is not released on the old one.
func (w *worker) lookAtAwaited(h *held) {
	if h.looked || h.looking || w.stopping {
		return
	}
	awaited := h.task.awaited()
	if len(awaited) == 0 {
		return
	}
	h.looked, h.looking = true, true
	until := w.beatAt.Add(w.config.Lease)
	go func() {
		ctx, cancel := context.WithDeadline(w.life, until)
		defer cancel()
		rows, err := w.rowsOf(ctx, awaited)
		w.do(func() { w.lookedAt(h, awaited, rows, err) })
	}()
}

// rowsOf reads the rows of tasks, however many those are.
func (w *worker) rowsOf(ctx context.Context, tasks []ID) (rows []Row, err error) {
	for ids := range slices.Chunk(tasks, MaxRows) {
		var some []Row
		err := persist(ctx, func() (err error) {
			some, err = w.store.Rows(ctx, Filter{IDs: ids, Limit: len(ids)})
			return err
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// lookedAt lets the steps go on whose awaited task has ended, or is not there
// any more. Of the others it notes which are the task's own children.
func (w *worker) lookedAt(h *held, awaited []ID, rows []Row, err error) {
	h.looking = false
	if w.held[h.row.ID] != h || h.stale || h.loading {
		return // what is read anew is looked at again
	}
	if err != nil {
		w.forget(h, ErrLeaseLost) // the lease is over
		return
	}
	ended := map[ID]bool{}
	for _, id := range awaited {
		ended[id] = true
	}
	h.children = map[ID]bool{}
	for i := range rows {
		ended[rows[i].ID] = rows[i].State.Final()
		h.children[rows[i].ID] = rows[i].Parent == h.row.ID
	}
	for i := range h.task.Steps {
		wait := h.task.Steps[i].Wait
		if wait == nil || !ended[wait.Task] {
			continue
		}
		e := h.task.event(Answered, i)
		e.Wait = &Wait{Name: wait.Name, Task: wait.Task}
		w.record(h, e)
	}
	w.advance(h)
}
