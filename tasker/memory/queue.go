package memory

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// queueKey says which workers a task is for: those that have its template,
// and work for its tag or for any.
type queueKey struct {
	template tasker.TemplateKey
	tag      string
}

// queue is what waits for the same workers.
type queue struct {
	ready    ready
	sleeping sleepers
}

// ready is a heap of what wants work now, the most urgent first: by priority,
// then by age. What is claimed meanwhile is passed over when it comes up.
type ready []*entry

func (r ready) Len() int           { return len(r) }
func (r ready) Less(i, j int) bool { return moreUrgent(r[i], r[j]) }
func (r ready) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ready) Push(x any)        { *r = append(*r, x.(*entry)) }
func (r *ready) Pop() any          { return popLast((*[]*entry)(r)) }

func moreUrgent(a, b *entry) bool {
	if a.row.Priority != b.row.Priority {
		return a.row.Priority > b.row.Priority
	}
	return older(a, b)
}

func older(a, b *entry) bool { return bytes.Compare(a.row.ID[:], b.row.ID[:]) < 0 }

// sleepers is a heap of what will want work later, the earliest first. It has
// nothing else, so that its first one tells the next wake.
type sleepers []*entry

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].until.Before(s[j].until) }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].asleep, s[j].asleep = i+1, j+1
}
func (s *sleepers) Push(x any) {
	e := x.(*entry)
	*s = append(*s, e)
	e.asleep = len(*s)
}
func (s *sleepers) Pop() any {
	e := popLast((*[]*entry)(s))
	e.asleep = 0
	return e
}

func popLast(entries *[]*entry) *entry {
	last := len(*entries) - 1
	e := (*entries)[last]
	(*entries)[last] = nil
	*entries = (*entries)[:last]
	return e
}

// queueOf is the queue that a task belongs to.
func (s *Store) queueOf(e *entry) *queue {
	key := queueKey{tasker.TemplateKey{Namespace: e.row.Namespace, Hash: e.row.Hash}, e.row.Tag}
	q := s.queues[key]
	if q == nil {
		q = &queue{}
		s.queues[key] = q
	}
	return q
}

// enqueue notes that a task wants work at its WakeAt.
func (s *Store) enqueue(e *entry, now time.Time) {
	s.rouse(e)
	q := s.queueOf(e)
	switch {
	case e.row.WakeAt.After(now):
		e.until = e.row.WakeAt
		heap.Push(&q.sleeping, e)
	case !e.queued:
		e.queued = true
		heap.Push(&q.ready, e)
	}
}

// rouse takes a task from the sleepers, if it is among them.
func (s *Store) rouse(e *entry) {
	if e.asleep > 0 {
		heap.Remove(&s.queueOf(e).sleeping, e.asleep-1)
	}
}

// wantsWork says that a task may be claimed at now.
func (e *entry) wantsWork(now time.Time) bool {
	return e.owned == nil && !e.row.State.Final() && !e.row.WakeAt.IsZero() && !e.row.WakeAt.After(now)
}

// Candidates implements [tasker.Store]. What it gives goes back into the
// queue, so that nothing is lost by a claim that is never made.
func (s *Store) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	if err := ctx.Err(); err != nil {
		return tasker.Candidates{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	found := tasker.Candidates{Now: now}
	order := moreUrgent
	if q.Oldest {
		order = older
	}
	var given []*entry
	namespaces := s.namespacesFor(&q)
	for _, n := range namespaces {
		for _, q := range n.queues {
			s.wake(q, now)
			if wake := q.nextWake(); !wake.IsZero() && (found.NextWake.IsZero() || wake.Before(found.NextWake)) {
				found.NextWake = wake
			}
		}
	}
	for len(namespaces) > 0 && len(given) < q.Limit {
		s.turn++
		n := s.turn % len(namespaces)
		e := popFirst(namespaces[n].queues, now, order)
		if e == nil {
			namespaces = slices.Delete(namespaces, n, n+1)
			continue
		}
		given = append(given, e)
		found.Logs = append(found.Logs, e.read(now))
	}
	for _, e := range given {
		s.enqueue(e, now)
	}
	return found, nil
}

// wake moves what has slept long enough to the ready.
func (s *Store) wake(q *queue, now time.Time) {
	for len(q.sleeping) > 0 && !q.sleeping[0].until.After(now) {
		s.enqueue(q.sleeping[0], now)
	}
}

func (q *queue) nextWake() time.Time {
	if len(q.sleeping) == 0 {
		return time.Time{}
	}
	return q.sleeping[0].until
}

type namespace struct {
	name   string
	queues []*queue
}

// namespacesFor groups the queues that a worker may take from, in the order
// of the namespaces' names.
func (s *Store) namespacesFor(q *tasker.CandidateQuery) []namespace {
	var found []namespace
	for key, queue := range s.queues {
		if len(queue.ready)+len(queue.sleeping) == 0 {
			delete(s.queues, key)
			continue
		}
		if q.Tag != "" && q.Tag != key.tag || !slices.Contains(q.Templates, key.template) {
			continue
		}
		at, known := slices.BinarySearchFunc(found, key.template.Namespace, func(n namespace, name string) int { return strings.Compare(n.name, name) })
		if !known {
			found = slices.Insert(found, at, namespace{name: key.template.Namespace})
		}
		found[at].queues = append(found[at].queues, queue)
	}
	return found
}

// popFirst takes the first task out of a namespace's queues, passing over those
// that want no work any more.
func popFirst(queues []*queue, now time.Time, before func(a, b *entry) bool) *entry {
	for {
		var best *queue
		for _, q := range queues {
			if len(q.ready) > 0 && (best == nil || before(q.ready[0], best.ready[0])) {
				best = q
			}
		}
		if best == nil {
			return nil
		}
		e := heap.Pop(&best.ready).(*entry)
		e.queued = false
		if e.wantsWork(now) {
			return e
		}
	}
}
