package tasker

import (
	"context"
	"errors"
	"time"
)

// What the log says wins over what a worker believes: after a refusal, a poke
// or a lost answer it reads the log, and goes on from there.

// load reads a task's log anew.
func (w *worker) load(h *held) {
	if h.loading {
		return
	}
	h.loading, h.stale = true, false
	id, until := h.row.ID, w.beatAt.Add(w.config.Lease)
	go func() {
		ctx, cancel := context.WithDeadline(w.life, until)
		defer cancel()
		var log Log
		err := persist(ctx, func() (err error) {
			log, err = w.store.Load(ctx, id)
			return err
		})
		w.do(func() { w.loaded(h, &log, err) })
	}()
}

// loaded goes on from what the log says, which wins over what this worker
// believed: it may hold our own record after a lost reply, or somebody
// else's.
func (w *worker) loaded(h *held, log *Log, err error) {
	h.loading = false
	if w.held[h.row.ID] != h {
		return
	}
	f := h.flight
	h.flight = nil
	stored := f != nil && f.isIn(log)
	if stored {
		h.seq = f.append.After + 1
		w.recorded(h, f, log.Records[f.append.After].At)
	}
	switch {
	case err != nil:
		w.forget(h, ErrLeaseLost)
		return
	case log.Row.State.Final():
		if stored && f.append.Change == FinishRow {
			w.ended(h)
		}
		w.forget(h, ErrCancelled)
		return
	case log.Row.Owner != w.id:
		w.forget(h, ErrLeaseLost)
		return
	}
	task, err := Fold(h.plan.template, *log)
	if err != nil {
		w.engine.log.Error("tasker: a log that does not fold", "error", err)
		w.forget(h, ErrLeaseLost)
		return
	}
	w.rebuild(h, task, log, f, stored)
}

// isIn says whether the flight's record is in a log.
func (f *flight) isIn(log *Log) bool {
	at := f.append.After
	return len(f.append.Record.Events) > 0 && at < int64(len(log.Records)) && log.Records[at].ID == f.append.Record.ID
}

// rebuild puts a task on the state that its log tells, offers the outcomes
// again that are not in it, and ends what it knows nothing of.
func (w *worker) rebuild(h *held, task *Task, log *Log, f *flight, stored bool) {
	var outcomes []Event
	unborn := h.starting
	if f != nil && !stored {
		outcomes, unborn = append(outcomes, f.append.Record.Events...), append(unborn, f.starting...)
	}
	outcomes = append(outcomes, h.pending...)
	log.Row.Trace = task.Trace
	h.task, h.row, h.seq, h.poke, h.owned = task, log.Row, int64(len(log.Records)), log.Row.Poke, true
	h.pending, h.starting, h.looked = nil, nil, false
	for _, r := range unborn {
		if h.runs[r.step] == r {
			delete(h.runs, r.step)
			w.takeSlot(h, -1)
		}
	}
	for _, e := range outcomes {
		i, ok := task.template.Graph().Index[e.Step]
		switch {
		case !ok || e.Undo != task.undoing || !task.runs(i, e.Attempt):
		case f != nil && f.transacts(i):
			w.record(h, f.transact.event(Withdrawn)) // it was rolled back
		case e.Kind == Completed || e.Kind == Retrying || e.Kind == Failed || e.Kind == Parked || e.Kind == Withdrawn:
			w.record(h, e)
		}
	}
	for step, r := range h.runs {
		switch {
		case r.about.Undo != task.undoing || !task.runs(step, r.attempt):
			delete(h.runs, step)
			w.end(r, ErrCancelled)
		case task.cancelled && !task.undoing:
			w.end(r, ErrCancelled) // how it ends is waited for
		}
	}
	if stored {
		for _, r := range f.starting {
			w.launch(r)
		}
	}
	w.loseOrphans(h)
	w.advance(h)
	w.takeOffers(h)
	w.mark(h)
}

// loseOrphans records as lost what was started under this worker's name and
// does not run here: the start was stored after all, when it was given up.
func (w *worker) loseOrphans(h *held) {
	for i := range h.task.Steps {
		if p := h.task.progress(i); p != nil && p.State == StepInProgress && h.runs[i] == nil {
			w.lose(h, i)
		}
	}
}

// runs says whether that attempt of step i was started and has no outcome.
func (t *Task) runs(i, attempt int) bool {
	p := t.progress(i)
	return p != nil && p.State == StepInProgress && p.starts == attempt
}

// persist calls a read of the store until it is answered or ctx has ended.
func persist(ctx context.Context, read func() error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := read()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrNotFound) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
