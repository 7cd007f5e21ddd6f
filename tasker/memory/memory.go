// Package memory is the embedded store: every log is a slice, and all is gone
// with the process. Any number of workers in one process may share a Store.
package memory

import (
	"cmp"
	"context"
	"fmt"
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
