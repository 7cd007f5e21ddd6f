package tasker

import (
	"encoding/json"
	"sync"
	"time"
)

// held is a task that a worker has, or is about to claim.
type held struct {
	row          Row
	task         *Task
	plan         *plan
	share        *share // of its template
	used, queued int    // of its steps: with a slot, and waiting for one

	seq      int64 // position of the last record that is known to be stored
	poke     int64 // the row's poke that the state has taken in
	owned    bool  // the claim is stored
	since    time.Time
	pending  []Event      // folded, not yet sent
	starting []*run       // begin with an event in pending
	flight   *flight      // sent, no answer yet
	loading  bool         // the log is being read anew
	stale    bool         // the log must be read anew
	dirty    bool         // stands in worker.dirty
	looking  bool         // the tasks that it awaits are being looked at
	looked   bool         // they were, since the poke was read
	children map[ID]bool  // those of them whose end pokes this task, and which no beat need look at
	runs     map[int]*run // by step, those that run and those about to
	todo     []int        // steps that may start
	wake     time.Time    // by our clock; zero for never
	bytes    int          // counted in worker.bytes
	at       [slots]int   // positions in heaps
	offers   []offer      // transactions that wait for the flight before theirs

	parts func() map[string]json.RawMessage // of the context, by key
}

// flight is an append under way.
type flight struct {
	append   Append
	starting []*run
	transact *run // the run in whose transaction it is stored; nil for a flush
	events   []publication
}

func (h *held) key() TemplateKey { return keyOf(&h.row) }

// keyOf is the template that a task is of.
func keyOf(row *Row) TemplateKey { return TemplateKey{row.Namespace, row.Hash} }

// transacts says whether the flight belongs to a transaction of step i.
func (f *flight) transacts(i int) bool { return f.transact != nil && f.transact.step == i }

func newHeld(p *plan, t *Task, log *Log) *held {
	log.Row.Trace = t.Trace
	h := &held{row: log.Row, task: t, plan: p, seq: int64(len(log.Records)), poke: log.Row.Poke, runs: map[int]*run{}}
	h.parts = sync.OnceValue(func() (parts map[string]json.RawMessage) {
		_ = json.Unmarshal(t.Context, &parts) // it was encoded by Submit
		return parts
	})
	return h
}

// record folds an event and keeps it to be stored.
func (w *worker) record(h *held, e Event) {
	if err := h.task.happen(&e, w.storeNow()); err != nil {
		w.engine.log.Error("tasker: an event that the machine refuses; the task is read anew", "task", h.row.ID, "error", err)
		h.stale = true
		return
	}
	if h.pending == nil {
		h.pending = make([]Event, 0, 2) // an outcome and a start, most of the time
	}
	h.pending = append(h.pending, e)
	w.mark(h)
}

// mark notes that a task has something to be stored, or may be released.
func (w *worker) mark(h *held) {
	if !h.dirty {
		h.dirty = true
		w.dirty = append(w.dirty, h)
	}
}

// advance asks the task's machine what may happen now.
func (w *worker) advance(h *held) {
	w.lookAtAwaited(h)
	n := h.task.next(w.storeNow())
	for n.event != nil && !(h.looking && n.event.Kind == Failed) { // what is awaited may have ended in time
		w.record(h, *n.event)
		if h.stale {
			break
		}
		n = h.task.next(w.storeNow())
	}
	w.enqueue(h, len(n.start)-len(h.todo))
	w.bytes += h.task.bytes - h.bytes
	h.todo, h.bytes = n.start, h.task.bytes
	if len(h.todo) > 0 && !w.stopping {
		w.ready.push(h)
	} else {
		w.ready.remove(h)
	}
	h.wake = time.Time{}
	w.waiting.drop(h)
	if !n.wake.IsZero() {
		h.wake = n.wake.Add(-w.skew)
		w.waiting.add(h)
	}
	if h.atRest(w) {
		w.mark(h)
	}
}

// keepFor is how long a task that only waits for a time is kept in hand. One
// that waits longer goes back to the store.
const keepFor = time.Second

// atRest says that the worker has nothing to do for the task for a while.
func (h *held) atRest(w *worker) bool {
	if len(h.runs) > 0 || h.looking && !w.stopping || len(h.todo) > 0 && !w.stopping {
		return false
	}
	return w.stopping || h.task.State.Final() || h.wake.IsZero() || h.wake.Sub(w.now) > keepFor
}

// wakeTasks looks again at the tasks whose time has come.
func (w *worker) wakeTasks() {
	for h := w.waiting.due(w.now); h != nil; h = w.waiting.due(w.now) {
		w.advance(h)
	}
}

// fill gives the free slots to steps. A step takes its slot when it is
// chosen; its handler begins once the start is stored. Where steps are quick,
// as many more are chosen as are expected to end meanwhile, so that no slot
// stands empty for the time of a flush.
func (w *worker) fill() {
	for w.joined && !w.stopping && w.used < w.config.Concurrency+w.ahead {
		h := w.ready.pick(func(h *held) bool { return h.share.hasSlot() })
		if h == nil {
			return
		}
		i := h.todo[0]
		h.todo = h.todo[1:]
		w.enqueue(h, -1)
		if len(h.todo) == 0 {
			w.ready.remove(h)
		}
		w.choose(h, i)
	}
}

func (w *worker) choose(h *held, i int) {
	start := h.task.start(i)
	w.record(h, start)
	if h.stale {
		return
	}
	step, progress := &h.plan.template.Steps[i], h.task.progress(i)
	r := &run{task: h, step: i, attempt: start.Attempt, timeout: step.Timeout, about: Attempt{
		TaskID: h.row.ID, RootID: h.row.Root, ParentID: h.row.Parent,
		Namespace: h.row.Namespace, Name: h.row.Name, Version: h.row.Version,
		Step: step.Name, Number: start.Attempt, Max: progress.MaxAttempts, Undo: start.Undo,
		CorrelationID: h.row.CorrelationID, Tag: h.row.Tag, Trace: h.task.Trace,
		engine: w.engine, answers: progress.answers,
		initialization: step.Handler.Initialization,
		whole:          h.task.Context, parts: h.parts, task: h.task, index: i,
	}}
	if start.Undo {
		r.about.initialization = undoRef(step).Initialization
	}
	h.runs[i] = r
	h.starting = append(h.starting, r)
	w.takeSlot(h, 1)
}

// resultFor gives the result of a step that step i depends on.
func (t *Task) resultFor(i int, name string) (json.RawMessage, bool) {
	from, ok := t.template.Graph().Index[name]
	if !ok || !t.template.Graph().IsAncestor(from, i) || t.Steps[from].Result == nil {
		return nil, false
	}
	return t.Steps[from].Result, true
}

// settle takes the outcome of a run into the task.
func (w *worker) settle(o *outcome) {
	r, h := o.run, o.run.task
	w.turnover++
	delete(w.running, r)
	delete(w.stuck, r)
	if !r.abandoned {
		w.takeSlot(h, -1)
	}
	if h.runs[r.step] != r {
		return // recorded as timed out, or the task was lost or cancelled
	}
	delete(h.runs, r.step)
	if w.held[h.row.ID] != h {
		return
	}
	if o.err == nil && !h.hasRoomFor(o) {
		o.wait, o.err = nil, tooLarge
	}
	w.recordOutcome(h, o)
	w.advance(h)
}

func (h *held) hasRoomFor(o *outcome) bool {
	more := len(o.result) + len(o.metadata)
	if o.wait != nil {
		more += len(o.wait.Prompt)
	}
	return h.task.bytes+more <= MaxTaskBytes
}

var tooLarge = Permanent(CodeResultTooLarge, "with this result the task is larger than %d bytes; store it elsewhere and hand on where it is", MaxTaskBytes)

// recordOutcome records what became of a run.
func (w *worker) recordOutcome(h *held, o *outcome) {
	step := o.run.step
	switch {
	case o.withdrawn:
		w.record(h, o.run.event(Withdrawn))
	case o.wait != nil:
		e := o.run.event(Parked)
		e.Wait, e.Metadata = o.wait, o.metadata
		h.looked = false
		w.record(h, e)
	case o.err == nil:
		e := o.run.event(Completed)
		e.Result, e.Metadata, e.Trace = o.result, o.metadata, o.run.about.traceOf()
		w.record(h, e)
	case w.cutOff && o.run.ctx != nil && !o.run.endedAt.IsZero() && o.err.Kind == KindRetryable:
		w.lose(h, step) // we ended it ourselves; what it did is not known
	default:
		e := h.task.failure(step, o.err, w.chance)
		e.Metadata, e.Trace = o.metadata, o.run.about.traceOf()
		w.record(h, e)
	}
}

// lose records that what an attempt did is not known.
func (w *worker) lose(h *held, step int) {
	for _, e := range h.task.lost(step) {
		w.record(h, e)
	}
}

// sweepEvery is how often runs are looked at that should have ended.
const sweepEvery = time.Second

// sweep gives up on runs that go on long after their context has ended: the
// attempt is recorded as timed out, and its slot is given to others. At most
// as many as there are slots are given up; beyond that they keep their slots,
// so that a process does not fill with them.
func (w *worker) sweep() {
	if len(w.running) == 0 {
		w.sweepAt = time.Time{}
		return
	}
	if w.sweepAt.IsZero() {
		w.sweepAt = w.now.Add(min(sweepEvery, w.config.Grace))
	}
	if w.now.Before(w.sweepAt) {
		return
	}
	w.sweepAt = w.now.Add(min(sweepEvery, w.config.Grace))
	for r := range w.running {
		ended := r.endedAt
		if ended.IsZero() || !r.deadline.IsZero() && r.deadline.Before(ended) {
			ended = r.deadline
		}
		if !ended.IsZero() && w.now.Sub(ended) >= w.config.Grace && len(w.stuck) < w.config.Concurrency {
			w.abandon(r)
		}
	}
}

func (w *worker) abandon(r *run) {
	h := r.task
	r.abandoned = true
	delete(w.running, r)
	w.stuck[r] = true
	w.takeSlot(h, -1)
	w.engine.log.Warn("tasker: a handler ignores that its context has ended", "task", h.row.ID, "step", r.about.Step, "attempt", r.attempt)
	if h.runs[r.step] != r {
		return
	}
	delete(h.runs, r.step)
	if w.held[h.row.ID] != h {
		return
	}
	if w.cutOff {
		w.lose(h, r.step)
	} else {
		timeout := Retryable(CodeTimeout, "the run took longer than timeout_seconds, and ignores that its context has ended")
		w.record(h, h.task.failure(r.step, timeout, w.chance))
	}
	w.advance(h)
}

// cut tells every handler to end, since the worker cannot wait any longer.
func (w *worker) cut() {
	w.cutOff = true
	for r := range w.running {
		w.end(r, ErrStopping)
	}
}

func (w *worker) abandonAll() {
	for r := range w.running {
		w.abandon(r)
	}
}

// end cancels a run's context.
func (w *worker) end(r *run, cause error) {
	if r.endedAt.IsZero() {
		r.endedAt = w.now
	}
	if r.cancel != nil {
		r.cancel(cause)
	}
}
