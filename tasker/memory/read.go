package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Load implements [tasker.Store].
func (s *Store) Load(ctx context.Context, task tasker.ID) (tasker.Log, error) {
	if err := ctx.Err(); err != nil {
		return tasker.Log{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.tasks[task]
	if !ok {
		return tasker.Log{}, fmt.Errorf("task %s: %w", task, tasker.ErrNotFound)
	}
	if len(e.log) == 0 {
		return tasker.Log{}, fmt.Errorf("task %s: %w", task, tasker.ErrPurged)
	}
	return e.read(time.Now()), nil
}

// read gives the log without a copy: records never change, and an append
// beyond the slice's end is not seen through it.
func (e *entry) read(now time.Time) tasker.Log {
	return tasker.Log{Row: e.row, Records: slices.Clip(e.log), Now: now}
}

// Rows implements [tasker.Store].
func (s *Store) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []tasker.Row
	now := time.Now()
	for e := range s.those(f.IDs) {
		if matches(&e.row, &f) && (f.Idle == 0 || e.isIdle(f.Idle, now)) && (!f.NoWorker || s.hasNoWorker(e, now)) {
			rows = append(rows, e.row)
		}
	}
	slices.SortFunc(rows, func(a, b tasker.Row) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	rows = slices.CompactFunc(rows, func(a, b tasker.Row) bool { return a.ID == b.ID }) // an id may have been asked for twice
	limit := 100
	if f.Limit > 0 {
		limit = min(f.Limit, tasker.MaxRows)
	}
	return rows[:min(limit, len(rows))], nil
}

func (e *entry) isIdle(since time.Duration, now time.Time) bool {
	return !e.row.State.Final() && len(e.log) > 0 && now.Sub(e.log[len(e.log)-1].At) >= since
}

// hasNoWorker says that nobody who lives has the handlers of a task.
func (s *Store) hasNoWorker(e *entry, now time.Time) bool {
	if e.row.State.Final() {
		return false
	}
	for _, w := range s.workers {
		if now.Before(w.until) && w.runs[tasker.TemplateKey{Namespace: e.row.Namespace, Hash: e.row.Hash}] {
			return false
		}
	}
	return true
}

// those gives the tasks with these ids, or all.
func (s *Store) those(ids []tasker.ID) iter.Seq[*entry] {
	if len(ids) == 0 {
		return maps.Values(s.tasks)
	}
	return func(yield func(*entry) bool) {
		for i, id := range ids {
			if e := s.tasks[id]; e != nil && !slices.Contains(ids[:i], id) && !yield(e) {
				return
			}
		}
	}
}

func matches(r *tasker.Row, f *tasker.Filter) bool {
	return (f.Namespace == "" || f.Namespace == r.Namespace) &&
		(f.Name == "" || f.Name == r.Name) &&
		(f.Tag == "" || f.Tag == r.Tag) &&
		(f.Parent.IsZero() || f.Parent == r.Parent) &&
		(f.InputHash == "" || f.InputHash == r.InputHash) &&
		(f.Before.IsZero() || bytes.Compare(r.ID[:], f.Before[:]) < 0) &&
		(len(f.States) == 0 || slices.Contains(f.States, r.State))
}
