package memory

import (
	"context"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Append implements [tasker.Store].
func (s *Store) Append(ctx context.Context, appends []tasker.Append) ([]tasker.Appended, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	for i := range appends {
		if err := s.checkTemplates(appends[i].Children); err != nil {
			s.mu.Unlock()
			return nil, err
		}
	}
	now := time.Now()
	answers := make([]tasker.Appended, len(appends))
	var hints []tasker.Hint
	for i := range appends {
		answers[i], hints = s.append(s.tasks[appends[i].Task], &appends[i], now, hints)
	}
	s.mu.Unlock()
	s.hintAll(hints)
	return answers, nil
}

// append stores one append, or refuses it as a whole.
func (s *Store) append(e *entry, a *tasker.Append, now time.Time, hints []tasker.Hint) (tasker.Appended, []tasker.Hint) {
	writer := s.workers[a.Record.Writer]
	if e == nil || int64(len(e.log)) != a.After || !mayAppend(e, a, writer, now) {
		return tasker.Appended{}, hints
	}
	if a.Change == tasker.OwnRow && e.owned == nil && s.isFull(e.row.Namespace, a.Limit, now) {
		return tasker.Appended{}, hints
	}
	if len(a.Record.Events) > 0 {
		record := a.Record
		record.Seq, record.At = a.After+1, now
		e.log = append(e.log, record)
	}
	steered := a.Change == tasker.SteerRow && e.owned == nil
	switch {
	case a.Poke && steered:
		e.row.Poke++ // when it wants work is for the append to say
	case a.Poke:
		hints = append(hints, s.poke(e, now))
	}
	if len(a.Events) > 0 {
		s.events.publish(a.Events, now)
		hints = append(hints, tasker.Hint{Kind: tasker.HintEvents})
	}
	for i := range a.Children {
		s.submit(&a.Children[i], now)
		hints = append(hints, tasker.Hint{Kind: tasker.HintWork})
	}
	answer := tasker.Appended{Stored: true, At: now}
	answer.Released = a.Change == tasker.ReleaseRow && e.row.Poke == a.IfPoke
	switch {
	case answer.Released:
		s.own(e, nil)
		s.await(e, a.Awaits)
		hints = s.rest(e, a, now, hints)
	case a.Change == tasker.OwnRow, a.Change == tasker.ReleaseRow:
		s.rouse(e)
		s.own(e, writer)
		s.await(e, nil)
		e.row.State = tasker.TaskInProgress
	case steered:
		hints = s.rest(e, a, now, hints)
	case a.Change == tasker.FinishRow:
		s.rouse(e)
		s.own(e, nil)
		s.await(e, nil)
		e.row.State, e.row.WakeAt, e.row.FinishedAt = a.State, time.Time{}, now
		hints = append(hints, tasker.Hint{Kind: tasker.HintEnd, Task: e.row.ID})
		if parent := s.tasks[e.row.Parent]; parent != nil {
			hints = append(hints, s.poke(parent, now))
		}
	}
	return answer, hints
}

// rest sets the state of a task that nobody owns, and when it wants work.
func (s *Store) rest(e *entry, a *tasker.Append, now time.Time, hints []tasker.Hint) []tasker.Hint {
	s.rouse(e)
	e.row.State, e.row.WakeAt = a.State, time.Time{}
	if a.WakeIn >= 0 {
		e.row.WakeAt = now.Add(a.WakeIn)
		s.enqueue(e, now)
		hints = append(hints, tasker.Hint{Kind: tasker.HintWork})
	}
	return append(hints, tasker.Hint{Kind: tasker.HintEnd, Task: e.row.ID})
}

// mayAppend says whether a writer at the right position may do what it asks
// for: nothing happens to a task that has ended, the dead do nothing, and
// nobody takes what another worker has.
func mayAppend(e *entry, a *tasker.Append, writer *worker, now time.Time) bool {
	switch {
	case e.row.State.Final():
		return false
	case !a.Record.Writer.IsZero() && (writer == nil || !now.Before(writer.until)):
		return false
	case a.Change == tasker.OwnRow || a.Change == tasker.ReleaseRow:
		return e.owned == nil || e.owned == writer
	default:
		return true
	}
}

// isFull says whether the living own as many tasks of a namespace as they may.
func (s *Store) isFull(namespace string, limit int, now time.Time) bool {
	if limit <= 0 {
		return false
	}
	owned := 0
	for _, w := range s.workers {
		if !now.Before(w.until) {
			continue
		}
		for _, e := range w.owned {
			if e.row.Namespace == namespace {
				owned++
			}
		}
	}
	return owned >= limit
}

// poke says that something a task may wait for has changed: to its owner, or
// to whoever claims it next.
func (s *Store) poke(e *entry, now time.Time) tasker.Hint {
	e.row.Poke++
	if e.owned != nil {
		return tasker.Hint{Kind: tasker.HintPoke, Task: e.row.ID}
	}
	if !e.row.State.Final() {
		e.row.WakeAt = now
		s.enqueue(e, now)
	}
	return tasker.Hint{Kind: tasker.HintWork}
}

// await notes which tasks a released one waits for.
func (s *Store) await(e *entry, tasks []tasker.ID) {
	if e.awaits = tasks; len(tasks) > 0 {
		s.awaiting[e] = true
	} else {
		delete(s.awaiting, e)
	}
}

// wakeAwaiting wakes the tasks of which an awaited one has ended, or is not
// there any more.
func (s *Store) wakeAwaiting(now time.Time) (woken bool) {
	over := func(id tasker.ID) bool { other := s.tasks[id]; return other == nil || other.row.State.Final() }
	for e := range s.awaiting {
		if slices.ContainsFunc(e.awaits, over) {
			s.await(e, nil) // so that it is done once
			s.poke(e, now)
			woken = true
		}
	}
	return woken
}

// own hands a task to a worker, or to nobody.
func (s *Store) own(e *entry, w *worker) {
	if e.owned == w {
		return
	}
	if e.owned != nil {
		delete(e.owned.owned, e.row.ID)
	}
	e.owned, e.row.Owner = w, tasker.ID{}
	if w != nil {
		w.owned[e.row.ID] = e
		e.row.Owner = w.id
	}
}
