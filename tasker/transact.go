package tasker

import (
	"context"
	"errors"
)

// A transactional step records its success in the transaction in which its
// handler worked: both stand, or neither. The handler's goroutine has the
// transaction, the loop has the task's log; so the goroutine asks the loop for
// the append once the handler has succeeded, and from then until the outcome
// is known nothing else of that task is flushed.

// offer is a handler's success that waits to be put into its transaction.
type offer struct {
	outcome *outcome
	reply   chan<- *flight // nil when the success is not wanted any more
}

var errUnwanted = errors.New("the task was lost, or the step has ended otherwise")

func (r *run) transactional() bool { return r.binding().handler.transactional }

// boundTransaction keeps a transaction well below the lease: a quarter of it
// for the handler, a third in all.
func (w *worker) boundTransaction(r *run) {
	longest := w.config.Lease / 4
	if r.timeout == 0 || r.timeout > longest {
		r.timeout = longest
	}
}

// transact runs a handler in a transaction of the store.
func (w *worker) transact(r *run, o *outcome) {
	ctx, cancel := context.WithTimeout(r.ctx, w.config.Lease/3)
	defer cancel()
	o.err, o.withdrawn = nil, true
	var f *flight
	answer, err := w.store.(Transactor).Transact(ctx, func(ctx context.Context) (Append, error) {
		o.withdrawn, o.err = false, exited
		if o.result, o.wait, o.err = attempt(ctx, r); o.err != nil {
			return Append{}, o.err
		}
		if o.wait != nil {
			return Append{}, ErrParked // nothing is left of it, and it runs again
		}
		o.metadata = r.about.notes()
		reply := make(chan *flight, 1)
		w.do(func() { w.offered(offer{o, reply}) })
		select {
		case f = <-reply:
		case <-w.done: // the loop is over, and has no answer any more
		}
		if f == nil {
			return Append{}, errUnwanted
		}
		return f.append, nil
	})
	switch {
	case f != nil:
		w.do(func() { w.transacted(r, f, &answer, err) })
	case o.withdrawn:
		w.engine.log.Warn("tasker: the store gave a step no transaction; it is tried again", "step", r.about.Step, "task", r.about.TaskID, "error", err)
	case o.err == nil && o.wait == nil:
		o.withdrawn = true // what it did was rolled back
	}
}

// offered makes the append that records a success, once nothing else of the
// task is under way.
func (w *worker) offered(of offer) {
	o := of.outcome
	r, h := o.run, o.run.task
	switch {
	case w.held[h.row.ID] != h || h.runs[r.step] != r:
		of.reply <- nil
	case !h.hasRoomFor(o):
		o.err = tooLarge
		of.reply <- nil
	case h.flight != nil || h.loading || h.stale:
		h.offers = append(h.offers, of)
	default:
		e := r.event(Completed)
		e.Result, e.Metadata, e.Trace = o.result, o.metadata, r.about.traceOf()
		w.record(h, e)
		if h.stale {
			of.reply <- nil
			return
		}
		delete(h.runs, r.step)
		w.advance(h)
		_, _ = w.appendFor(h) // there is something to append
		h.flight.transact = r
		of.reply <- h.flight
	}
}

// transacted takes what became of a transaction. When that is not known, the
// log tells.
func (w *worker) transacted(r *run, f *flight, answer *Appended, err error) {
	h := r.task
	if w.held[h.row.ID] != h || h.flight != f {
		return
	}
	if err != nil || !answer.Stored {
		w.load(h)
		return
	}
	w.stored(h, answer.At, answer.Released)
}

// takeOffers looks again at the transactions that waited for another append.
func (w *worker) takeOffers(h *held) {
	waiting := h.offers
	h.offers = nil
	for _, of := range waiting {
		w.offered(of)
	}
}

// refuseOffers tells the transactions of a task that is given up.
func (h *held) refuseOffers() {
	for _, of := range h.offers {
		of.reply <- nil
	}
	h.offers = nil
}
