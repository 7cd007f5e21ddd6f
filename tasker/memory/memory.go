// Package memory is the embedded store: every log is a slice, and all is gone
// with the process. Any number of workers in one process may share a Store.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Store keeps tasks in memory. Use [New] to make one.
type Store struct {
	mu         sync.Mutex
	templates  []tasker.StoredTemplate
	tasks      map[tasker.ID]*entry
	identities map[identity]*entry
	queues     map[queueKey]*queue     // what wants work now, or once its time comes
	workers    map[tasker.ID]*worker   // those whose death nobody has declared
	graves     map[tasker.ID]time.Time // the dead, and when they are forgotten
	awaiting   map[*entry]bool         // released tasks that await others
	events     events
	turn       int // rotates the namespaces
	listeners  map[int]func(tasker.Hint)
	listenerID int
}

// entry is one task: its row, and its log as a slice.
type entry struct {
	row    tasker.Row
	log    []tasker.Record
	owned  *worker // the living worker that has it
	awaits []tasker.ID
	queued bool // stands in a queue
	asleep int  // position among its queue's sleepers, from 1; 0 for not there
	until  time.Time
}

type identity struct{ namespace, name, key string }

// New makes an empty store.
func New() *Store {
	return &Store{
		tasks:      map[tasker.ID]*entry{},
		identities: map[identity]*entry{},
		queues:     map[queueKey]*queue{},
		workers:    map[tasker.ID]*worker{},
		graves:     map[tasker.ID]time.Time{},
		awaiting:   map[*entry]bool{},
		events:     events{consumers: map[string]*consumer{}},
		listeners:  map[int]func(tasker.Hint){},
	}
}

var _ tasker.Store = (*Store)(nil)

// SaveTemplates implements [tasker.Store].
func (s *Store) SaveTemplates(ctx context.Context, templates []tasker.StoredTemplate, beside bool) (differing []tasker.StoredTemplate, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var fresh []tasker.StoredTemplate
	for _, t := range templates {
		if s.knows(t.Hash) {
			continue
		}
		fresh = append(fresh, t)
		if slices.ContainsFunc(s.templates, func(other tasker.StoredTemplate) bool { return compareVersions(t, other) == 0 }) {
			differing = append(differing, t)
		}
	}
	if len(differing) == 0 || beside {
		s.templates = append(s.templates, fresh...)
	}
	return differing, nil
}

func (s *Store) knows(hash string) bool {
	return slices.ContainsFunc(s.templates, func(t tasker.StoredTemplate) bool { return t.Hash == hash })
}

// Templates implements [tasker.Store].
func (s *Store) Templates(ctx context.Context) ([]tasker.StoredTemplate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(s.templates), compareVersions), nil
}

func compareVersions(a, b tasker.StoredTemplate) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
}

// Submit implements [tasker.Store].
func (s *Store) Submit(ctx context.Context, tasks []tasker.NewTask) ([]tasker.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.hintAll([]tasker.Hint{{Kind: tasker.HintWork}})
	defer s.mu.Unlock()
	if err := s.checkTemplates(tasks); err != nil {
		return nil, err
	}
	now := time.Now()
	rows := make([]tasker.Row, len(tasks))
	for i := range tasks {
		rows[i] = s.submit(&tasks[i], now)
	}
	return rows, nil
}

func (s *Store) checkTemplates(tasks []tasker.NewTask) error {
	for i := range tasks {
		if row := &tasks[i].Row; !s.knows(row.Hash) {
			return fmt.Errorf("submit %s/%s@%s with hash %.12s: %w", row.Namespace, row.Name, row.Version, row.Hash, tasker.ErrNoTemplate)
		}
	}
	return nil
}

func (s *Store) submit(t *tasker.NewTask, now time.Time) tasker.Row {
	if known, ok := s.tasks[t.Row.ID]; ok {
		return known.row // the reply to an earlier call was lost
	}
	key := identity{t.Row.Namespace, t.Row.Name, t.Row.Identity}
	if holder, ok := s.identities[key]; ok && key.key != "" && !mayRepeat(&t.Row, &holder.row) {
		return holder.row
	}
	e := &entry{row: t.Row}
	e.row.State, e.row.CreatedAt, e.row.WakeAt = tasker.TaskPending, now, now
	record := t.Record
	record.Seq, record.At = 1, now
	e.log = []tasker.Record{record}
	s.tasks[e.row.ID] = e
	if key.key != "" {
		s.identities[key] = e
	}
	s.enqueue(e, now)
	return e.row
}

// mayRepeat says that a new run may take the identity of one that has ended
// without success.
func mayRepeat(next, holder *tasker.Row) bool {
	return next.RetryEnded && (holder.State == tasker.TaskError || holder.State == tasker.TaskCancelled)
}

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
		limit = min(f.Limit, 1000)
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

// Listen implements [tasker.Store].
func (s *Store) Listen(hint func(tasker.Hint)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.listenerID
	s.listenerID++
	s.listeners[id] = hint
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, id)
	}
}

func (s *Store) hintAll(hints []tasker.Hint) {
	if len(hints) == 0 {
		return
	}
	s.mu.Lock()
	listeners := slices.Collect(maps.Values(s.listeners))
	s.mu.Unlock()
	for _, listener := range listeners {
		for _, h := range hints {
			listener(h)
		}
	}
}

// Purge implements [tasker.Store].
func (s *Store) Purge(ctx context.Context, terms tasker.Retention, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var due []*entry
	for _, e := range s.tasks {
		if s.mayPurge(e, terms.Tasks, now) || s.mayForget(e, terms.Keys, now) {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *entry) int { return a.row.FinishedAt.Compare(b.row.FinishedAt) })
	due = due[:min(limit, len(due))]
	gone := map[tasker.ID]bool{}
	defer func() { s.events.forget(gone) }()
	for _, e := range due {
		if s.mayForget(e, terms.Keys, now) {
			delete(s.identities, e.identity())
		}
		if s.mayPurge(e, terms.Tasks, now) {
			e.log = nil
			gone[e.row.ID] = true
		}
		if e.log == nil && !s.holdsIdentity(e) {
			delete(s.tasks, e.row.ID)
		}
	}
	return len(due), nil
}

// mayPurge says that a task has a log, ended a term ago, and has neither a
// parent that goes on nor an event that somebody is still to read.
func (s *Store) mayPurge(e *entry, term time.Duration, now time.Time) bool {
	parent := s.tasks[e.row.Parent]
	return e.log != nil && isOver(e, term, now) && (parent == nil || parent.row.State.Final()) && !s.events.unread(e.row.ID)
}

// mayForget says that a task holds an identity, and ended a term ago.
func (s *Store) mayForget(e *entry, term time.Duration, now time.Time) bool {
	return s.holdsIdentity(e) && isOver(e, term, now)
}

func isOver(e *entry, term time.Duration, now time.Time) bool {
	return term > 0 && e.row.State.Final() && now.Sub(e.row.FinishedAt) >= term
}

func (e *entry) identity() identity { return identity{e.row.Namespace, e.row.Name, e.row.Identity} }

func (s *Store) holdsIdentity(e *entry) bool {
	return e.row.Identity != "" && s.identities[e.identity()] == e
}
