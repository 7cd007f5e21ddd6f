package memory

import (
	"context"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

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
