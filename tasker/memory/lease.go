package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// worker is one that lives, as far as anybody has noticed.
type worker struct {
	id    tasker.ID
	until time.Time
	runs  map[tasker.TemplateKey]bool // what it has every handler of
	owned map[tasker.ID]*entry
}

// Beat implements [tasker.Store].
func (s *Store) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	if err := ctx.Err(); err != nil {
		return tasker.Pulse{}, err
	}
	s.mu.Lock()
	now := time.Now()
	freed := s.bury(now)
	freed = s.wakeAwaiting(now) || freed
	w := s.workers[b.Worker]
	if _, dead := s.graves[b.Worker]; dead || w == nil && !b.First {
		s.mu.Unlock()
		return tasker.Pulse{}, fmt.Errorf("worker %s: %w", b.Worker, tasker.ErrWorkerDead)
	}
	if w == nil {
		w = &worker{id: b.Worker, owned: map[tasker.ID]*entry{}}
		s.workers[b.Worker] = w
	}
	w.until = now.Add(b.Lease)
	w.runs = map[tasker.TemplateKey]bool{}
	for _, key := range b.Templates {
		w.runs[key] = true
	}
	pulse := tasker.Pulse{Now: now, Owned: make([]tasker.Owned, 0, len(w.owned))}
	for id, e := range w.owned {
		pulse.Owned = append(pulse.Owned, tasker.Owned{Task: id, Poke: e.row.Poke})
	}
	slices.SortFunc(pulse.Owned, func(a, b tasker.Owned) int { return bytes.Compare(a.Task[:], b.Task[:]) })
	s.mu.Unlock()
	if freed {
		s.hintAll([]tasker.Hint{{Kind: tasker.HintWork}})
	}
	return pulse, nil
}

// Leave implements [tasker.Store].
func (s *Store) Leave(ctx context.Context, id tasker.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	freed := s.release(s.workers[id], time.Now())
	s.mu.Unlock()
	if freed {
		s.hintAll([]tasker.Hint{{Kind: tasker.HintWork}})
	}
	return nil
}

// graveTime is how long the dead are remembered, so that an id is not taken
// for a new worker's by a first beat that was late.
const graveTime = time.Hour

// bury declares the workers dead whose lease is over. Death is final: a late
// beat finds no worker.
func (s *Store) bury(now time.Time) (freed bool) {
	maps.DeleteFunc(s.graves, func(_ tasker.ID, until time.Time) bool { return !now.Before(until) })
	for _, w := range s.workers {
		if !now.Before(w.until) {
			freed = s.release(w, now) || freed
		}
	}
	return freed
}

// release lets others claim what a worker owned.
func (s *Store) release(w *worker, now time.Time) (freed bool) {
	if w == nil {
		return false
	}
	for _, e := range w.owned {
		e.owned, e.row.Owner, e.row.WakeAt = nil, tasker.ID{}, now
		s.enqueue(e, now)
		freed = true
	}
	delete(s.workers, w.id)
	s.graves[w.id] = now.Add(graveTime)
	return freed
}
