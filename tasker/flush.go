package tasker

import (
	"bytes"
	"context"
	"slices"
	"time"
)

// A flush stores what gathered while the last one was under way: group
// commit. An idle worker flushes at once.
const (
	maxFlush      = 256     // appends
	maxFlushBytes = 4 << 20 // of payloads, unless one record alone is larger
)

// flush sends what is to be stored, if no flush is under way.
func (w *worker) flush() {
	if w.flushing || len(w.dirty) == 0 {
		return
	}
	batch, appends := w.spare.batch[:0], w.spare.appends[:0]
	size := 0
	waiting := w.dirty[:0]
	for _, h := range w.dirty {
		switch {
		case w.held[h.row.ID] != h:
			h.dirty = false
		case h.stale || h.loading || h.flight != nil || len(batch) == maxFlush || size > maxFlushBytes:
			waiting = append(waiting, h)
			if h.stale && h.flight == nil {
				w.load(h)
			}
		default:
			h.dirty = false
			if a, ok := w.appendFor(h); ok {
				batch = append(batch, h)
				size += sizeOf(a.Record.Events)
			}
		}
	}
	clear(w.dirty[len(waiting):])
	w.dirty = waiting
	if len(batch) > 0 {
		slices.SortFunc(batch, func(a, b *held) int { return bytes.Compare(a.row.ID[:], b.row.ID[:]) })
		for _, h := range batch {
			appends = append(appends, h.flight.append)
		}
		w.flushing, w.spare = true, flushed{}
		go w.send(flushed{batch: batch, appends: appends}, w.beatAt.Add(w.config.Lease))
	}
}

// appendFor makes the append of everything pending for a task, and of what
// becomes of its row.
func (w *worker) appendFor(h *held) (Append, bool) {
	a := Append{Task: h.row.ID, After: h.seq, WakeIn: -1, Record: Record{ID: w.engine.newID(), Writer: w.id, Events: h.pending}}
	switch {
	case h.task.State.Final():
		a.Change, a.State = FinishRow, h.task.State
		w.engine.waiters.expect(h.row.ID)
	case h.atRest(w):
		a.Change, a.State, a.IfPoke, a.Awaits = ReleaseRow, h.task.State, h.poke, h.awaits()
		if len(h.todo) > 0 {
			a.WakeIn = 0 // we are stopping; others may go on at once
		} else if !h.wake.IsZero() {
			a.WakeIn = max(0, h.wake.Sub(w.now))
		}
		if !h.owned && len(h.pending) == 1 {
			a.Record.Events = nil // nothing but the claim: there was nothing to do
		}
	case !h.owned:
		a.Change, a.Limit = OwnRow, w.config.ClusterConcurrency[h.row.Namespace]
	case len(h.pending) == 0:
		return a, false
	}
	f := &flight{append: a, starting: h.starting}
	if h.plan.publishes {
		f.events = w.engine.publish(h.task, &h.row, a.Record.Events)
		f.append.Events = durable(f.events)
		a.Events = f.append.Events
	}
	h.flight = f
	h.pending, h.starting = nil, nil
	return a, true
}

func sizeOf(events []Event) int {
	n := 0
	for i := range events {
		e := &events[i]
		n += len(e.Context) + len(e.Result) + len(e.Metadata) + len(e.Reason) + e.Error.size()
		if e.Wait != nil {
			n += len(e.Wait.Prompt)
		}
	}
	return n
}

// flushed is a batch that was sent, and what came of it.
type flushed struct {
	batch   []*held
	appends []Append // of the batch, in its order
	answers []Appended
	unclear bool // it was sent more than once
	err     error
}

// send stores a batch. An error leaves open whether it was stored, so the
// same records are sent again, until one answer tells or the lease is over:
// whoever finds its own record there has succeeded.
func (w *worker) send(f flushed, until time.Time) {
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		f.answers, f.err = w.store.Append(ctx, f.appends)
		if f.err == nil || ctx.Err() != nil {
			w.do(func() { w.settleFlush(f) })
			return
		}
		f.unclear = true
		w.engine.log.Warn("tasker: the store did not take a batch of records; it is sent again", "records", len(f.appends), "error", f.err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// settleFlush takes the store's answers. A refused record may be there all the
// same, from a sending whose answer was unclear. Without one, a refused claim
// means that somebody else was quicker, which needs no look.
func (w *worker) settleFlush(f flushed) {
	w.flushing = false
	if w.moreBehind {
		w.moreBehind, w.moreWork = false, !w.stopping
	}
	w.ahead, w.turnover = min(w.turnover, maxAhead), 0
	for i, h := range f.batch {
		if w.held[h.row.ID] != h || h.flight == nil {
			continue // lost meanwhile
		}
		switch {
		case f.err != nil:
			w.forget(h, ErrLeaseLost)
		case !f.answers[i].Stored && !h.owned && !f.unclear:
			w.refused(h, &f.appends[i])
			w.forget(h, ErrLeaseLost)
		case !f.answers[i].Stored:
			w.load(h)
		default:
			w.stored(h, f.answers[i].At, f.answers[i].Released)
		}
	}
	clear(f.batch)
	clear(f.appends)
	w.spare = flushed{batch: f.batch, appends: f.appends}
}

// stored goes on with a task whose append is in the log: handlers whose start
// is stored begin now.
func (w *worker) stored(h *held, at time.Time, released bool) {
	f := h.flight
	h.flight = nil
	if len(f.append.Record.Events) > 0 {
		h.seq++
		w.recorded(h, f, at)
	}
	if !h.owned {
		h.owned, h.since = true, w.now
	}
	switch {
	case f.append.Change == FinishRow:
		w.ended(h)
		w.forget(h, ErrCancelled)
		return
	case f.append.Change == ReleaseRow && released:
		w.forget(h, ErrLeaseLost)
		return
	case f.append.Change == ReleaseRow:
		h.stale = true // somebody poked it: there is something to read
	}
	for _, r := range f.starting {
		w.launch(r)
	}
	if h.stale {
		w.load(h)
		return
	}
	w.takeOffers(h)
	if len(h.pending) > 0 || h.atRest(w) {
		w.mark(h)
	}
}

// launch lets a handler whose start is stored begin once there is a slot, or
// takes the start back when the worker is stopping.
func (w *worker) launch(r *run) {
	h := r.task
	switch {
	case h.runs[r.step] != r:
		w.takeSlot(h, -1)
	case w.stopping:
		w.withdraw(r)
	default:
		r.inLine = true
		w.line = append(w.line, r)
	}
}

// serve begins handlers that stand in line, as far as there are slots.
func (w *worker) serve() {
	for len(w.line) > 0 && len(w.running) < w.config.Concurrency {
		r := w.line[0]
		w.line[0] = nil
		w.line = w.line[1:]
		r.inLine = false
		if r.task.runs[r.step] != r {
			w.takeSlot(r.task, -1) // lost or cancelled meanwhile
			continue
		}
		w.running[r] = true
		w.begin(r)
	}
}

// withdraw takes back a start that no handler has seen.
func (w *worker) withdraw(r *run) {
	h := r.task
	delete(h.runs, r.step)
	w.takeSlot(h, -1)
	w.record(h, r.event(Withdrawn))
	w.advance(h)
}

// forget lets a task go, and ends what still runs of it.
func (w *worker) forget(h *held, cause error) {
	w.ready.remove(h)
	w.waiting.drop(h)
	w.enqueue(h, -len(h.todo))
	w.bytes -= h.bytes
	h.todo, h.bytes = nil, 0
	delete(w.held, h.row.ID)
	w.hold(h, -1)
	for step, r := range h.runs {
		if w.running[r] || r.inLine {
			w.end(r, cause)
		} else {
			w.takeSlot(h, -1)
		}
		delete(h.runs, step)
	}
	w.engine.waiters.ended(h.row.ID, nil) // unless they were told
	h.pending, h.starting, h.flight = nil, nil, nil
	h.refuseOffers()
}

// recorded tells of a record that is stored at the task's last position, and of
// what its transaction has brought.
func (w *worker) recorded(h *held, f *flight, at time.Time) {
	w.engine.recorded(&h.row, f, h.seq, at)
	if f.transact != nil {
		f.transact.about.isStored()
	}
}

// ended tells those who wait for it, and the task handler, that a task has
// ended.
func (w *worker) ended(h *held) {
	w.engine.waiters.ended(h.row.ID, h.task)
	if h.plan.submit != nil && h.plan.submit.handler.finish != nil {
		w.finish(h.task, h.plan.submit.handler.finish)
	}
}

// mostFinishing is how many task handlers may be at the ends of tasks at once:
// one that is slow, or does not return, must not fill the process with them.
const mostFinishing = 1000

// finish has a task handler see the end of a task.
func (w *worker) finish(task *Task, finish func(context.Context, *Task)) {
	if w.finishing.Load() >= mostFinishing {
		w.engine.log.Warn("tasker: too many task handlers are at the ends of tasks; one is not told", "task", task.ID)
		return
	}
	w.finishing.Add(1)
	w.ends.Go(func() {
		defer w.finishing.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), w.config.Lease)
		defer cancel()
		_, err := protect(func() (any, error) { finish(ctx, task); return nil, nil })
		if err != nil {
			w.engine.log.Error("tasker: the task handler failed at the task's end", "task", task.ID, "error", err)
		}
	})
}
