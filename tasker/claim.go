package tasker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// What a worker holds is bounded, so that others have their share and memory
// does not fill: steps for twice its slots, and at most so many tasks, or two
// a slot, and bytes.
const (
	holdPerSlot  = 2
	maxAhead     = 512 // steps that are started ahead of a slot
	maxHeld      = 4096
	maxClaim     = 512 // at once
	maxHeldBytes = 256 << 20
)

// claim asks the store for tasks once half of what the worker may hold is
// free, and there may be some.
func (w *worker) claim() {
	w.lookAtFull()
	room := w.room()
	if room == 0 || !w.moreWork && w.now.Before(w.claimAt) {
		return
	}
	w.claiming, w.moreWork, w.claimAt = true, false, w.now.Add(w.config.Poll)
	q := CandidateQuery{Templates: w.wanted(w.engine.templateKeys()), Tag: w.config.Tag, Limit: room}
	q.Oldest = w.rounds%oldestEvery == oldestEvery-1
	if len(q.Templates) == 0 {
		w.claiming = false
		return
	}
	q.Limit = min(w.places(q.Templates, room)+len(w.unfit), maxRows)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), w.config.Lease)
		defer cancel()
		found, err := w.store.Candidates(ctx, q)
		w.do(func() { w.found(&found, err, q.Limit) })
	}()
}

// room is how many tasks may be asked for now; 0 while there is a reason not
// to ask.
func (w *worker) room() int {
	most := max(maxHeld, holdPerSlot*w.config.Concurrency)
	free := min(holdPerSlot*(w.config.Concurrency+w.ahead)-w.competing(), most-len(w.held))
	if w.stopping || w.claiming || !w.joined || free < w.config.Concurrency || w.bytes > maxHeldBytes {
		return 0
	}
	return min(free, w.mostClaim)
}

// found takes the tasks that the store offered. The claim is their next
// record, which may hold the first starts as well.
func (w *worker) found(c *Candidates, err error, limit int) {
	w.claiming = false
	if err != nil {
		w.mostClaim = max(1, limit/2) // their logs may be more than it can give in its time
		w.engine.log.Warn("tasker: the store did not say what wants work; it is asked again, for fewer tasks", "tasks", w.mostClaim, "error", err)
		return
	}
	w.mostClaim = min(w.mostClaim+1, maxClaim)
	w.skew = c.Now.Sub(w.now)
	// Those whose claim is under way are offered again, and tell nothing; nor do
	// those that cannot be taken.
	fresh := func(log Log) bool { return w.held[log.Row.ID] == nil && !w.isUnfit(log.Row.ID) }
	if len(c.Logs) == limit && slices.ContainsFunc(c.Logs, fresh) {
		w.moreWork = true
	}
	if wake := c.NextWake.Add(-w.skew); !c.NextWake.IsZero() && wake.Before(w.claimAt) {
		w.claimAt = wake
	}
	before := len(w.held)
	for i := range c.Logs {
		if w.stopping || !w.joined {
			return
		}
		if key := keyOf(&c.Logs[i].Row); !w.mayHold(key) {
			w.full[key] = true // the rest of them stays in the store
			continue
		}
		if w.isUnfit(c.Logs[i].Row.ID) {
			continue
		}
		if err := w.take(&c.Logs[i], false); err != nil {
			w.passOver(c.Logs[i].Row.ID, err)
		}
	}
	if len(w.held) > before {
		w.rounds++
	}
}

// unfitFor is how long a task is passed over that could not be taken.
const unfitFor = time.Minute

// passOver leaves a task to others: to a worker whose handlers fit the
// environment that it began with, or whose program knows what its log says. The
// store goes on offering it, and is asked for more instead.
func (w *worker) passOver(id ID, why error) {
	w.engine.log.Error("tasker: a task cannot be claimed, and is left to other workers", "task", id, "error", why)
	maps.DeleteFunc(w.unfit, func(id ID, _ time.Time) bool { return !w.isUnfit(id) })
	w.unfit[id] = w.now.Add(unfitFor)
}

func (w *worker) isUnfit(id ID) bool { return w.now.Before(w.unfit[id]) }

// handed takes tasks that were submitted through this engine, if the worker
// has nothing else to do: otherwise they wait for their turn in the store.
func (w *worker) handed(logs []Log) {
	for i := range logs {
		if w.stopping || !w.joined || w.competing() >= w.config.Concurrency {
			return
		}
		if !w.mayHold(keyOf(&logs[i].Row)) {
			continue
		}
		if err := w.take(&logs[i], false); err != nil {
			w.engine.log.Error("tasker: a task cannot be claimed", "error", err)
		}
	}
}

// take begins to hold a task. What another worker had started and not
// finished is lost.
func (w *worker) take(log *Log, owned bool) error {
	if w.held[log.Row.ID] != nil {
		return nil
	}
	if log.Fault != nil {
		return log.Fault
	}
	p, err := w.engine.planOf(&log.Row)
	if err != nil {
		return err
	}
	t, err := Fold(p.template, *log)
	if err != nil {
		return err
	}
	if t.State.Final() {
		return nil
	}
	h := newHeld(p, t, log)
	h.share, h.owned, h.since = w.shareOf(h.key()), owned, w.now
	w.held[h.row.ID] = h
	w.hold(h, 1)
	if !owned {
		w.record(h, Event{Kind: Claimed, Worker: w.id})
	}
	w.loseOrphans(h)
	w.advance(h)
	w.mark(h)
	return nil
}

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
		var rows []Row
		var err error
		for ids := range slices.Chunk(awaited, maxRows) {
			var some []Row
			err = persist(ctx, func() (err error) {
				some, err = w.store.Rows(ctx, Filter{IDs: ids, Limit: len(ids)})
				return err
			})
			if err != nil {
				break
			}
			rows = append(rows, some...)
		}
		w.do(func() { w.lookedAt(h, awaited, rows, err) })
	}()
}

// maxRows is how many rows a store lists at once.
const maxRows = 1000

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
