package tasker

import (
	"context"
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
	q.Limit = min(w.places(q.Templates, room)+len(w.unfit), MaxRows)
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
		w.mostClaim = max(1, min(limit, w.mostClaim)/2) // their logs may be more than it can give in its time
		w.engine.log.Warn("tasker: the store did not say what wants work; it is asked again, for fewer tasks", "tasks", w.mostClaim, "error", err)
		return
	}
	w.mostClaim = min(w.mostClaim+1, maxClaim)
	w.skew = c.Now.Sub(w.now)
	// Those whose claim is under way are offered again, and may hide others until
	// it is stored. Those that cannot be taken tell nothing.
	fresh := func(log Log) bool { return w.held[log.Row.ID] == nil && !w.isUnfit(log.Row.ID) }
	switch {
	case len(c.Logs) < limit:
	case slices.ContainsFunc(c.Logs, fresh):
		w.moreWork = true
	default:
		w.moreBehind = true
	}
	if wake := c.NextWake.Add(-w.skew); !c.NextWake.IsZero() && wake.Before(w.claimAt) {
		w.claimAt = wake
	}
	if w.stopping || !w.joined {
		return
	}
	before := len(w.held)
	for i := range c.Logs {
		row := &c.Logs[i].Row
		switch key := keyOf(row); {
		case !w.mayHold(key):
			w.full[key] = true // the rest of them stays in the store
		case w.isUnfit(row.ID):
		default:
			if err := w.take(&c.Logs[i], false); err != nil {
				w.passOver(row.ID, err)
			}
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
