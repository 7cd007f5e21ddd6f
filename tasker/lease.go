package tasker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A worker's tasks are its own for as long as it is heard of: a lease, renewed
// by a heartbeat. The answer tells what the store thinks that it owns.

// beat renews the lease three times in its length.
func (w *worker) beat() {
	if w.beating || w.now.Before(w.nextBeat) {
		return
	}
	w.beating = true
	b, sent := Beat{Worker: w.id, Lease: w.config.Lease, First: !w.joined, Templates: w.engine.templateKeys()}, w.now
	w.nextBeat = sent.Add(w.config.Lease / 3)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), w.config.Lease/3)
		defer cancel()
		pulse, err := w.store.Beat(ctx, b)
		w.do(func() { w.beaten(b, &pulse, sent, err) })
	}()
}

func (w *worker) beaten(b Beat, pulse *Pulse, sent time.Time, err error) {
	w.beating = false
	switch {
	case b.Worker != w.id:
		return // of the life before
	case errors.Is(err, ErrWorkerDead):
		w.rejoin(fmt.Errorf("beat: %w", err))
		return
	case err != nil:
		w.nextBeat = w.now.Add(w.config.Lease / 10)
		w.engine.log.Warn("tasker: the store did not answer a beat", "error", err)
		return
	}
	w.joined, w.beatAt = true, sent
	w.skew = pulse.Now.Sub(w.now)
	w.reconcile(pulse, sent)
}

// reconcile compares what the store thinks that this worker owns with what it
// holds.
func (w *worker) reconcile(pulse *Pulse, sent time.Time) {
	owned := make(map[ID]bool, len(pulse.Owned))
	for _, o := range pulse.Owned {
		owned[o.Task] = true
		switch h := w.held[o.Task]; {
		case h == nil:
			w.adopt(o.Task)
		case h.owned && o.Poke != h.poke:
			h.stale = true
			w.mark(h)
		}
	}
	for id, h := range w.held {
		if h.owned && !h.since.After(sent) && !owned[id] {
			h.stale = true
			w.mark(h)
		}
	}
}

// adopt takes a task that is ours by the store's word alone: the reply to its
// claim was lost.
func (w *worker) adopt(id ID) {
	worker := w.id
	go func() {
		ctx, cancel := context.WithTimeout(w.life, w.config.Lease/3)
		defer cancel()
		log, err := w.store.Load(ctx, id)
		w.do(func() {
			if err != nil || log.Row.Owner != worker || worker != w.id || w.stopping {
				return // the next beat tells again
			}
			if err := w.take(&log, true); err != nil {
				w.engine.log.Error("tasker: a task cannot be adopted", "error", err)
			}
		})
	}()
}

// fence ends everything when the lease may be over: from then on others may
// have our tasks.
func (w *worker) fence() {
	if w.joined && w.now.Sub(w.beatAt) >= w.config.Lease {
		w.rejoin(fmt.Errorf("no beat was answered for %v", w.config.Lease))
	}
}

// rejoin gives up all tasks and begins a new life under another id.
func (w *worker) rejoin(why error) {
	w.engine.log.Error("tasker: the lease is over; this worker gives up its tasks and joins anew", "worker", w.id, "tasks", len(w.held), "why", why)
	for _, h := range w.held {
		w.forget(h, ErrLeaseLost)
	}
	w.id, w.joined, w.nextBeat = w.engine.newID(), false, w.now
	w.moreWork = !w.stopping
}
