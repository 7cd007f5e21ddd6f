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

// queue is a heap of what wants work now, the most urgent first: by priority,
// then by age. What is claimed meanwhile is passed over when it comes up.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return moreUrgent(q[i], q[j]) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*entry)) }
func (q *queue) Pop() any          { return popLast((*[]*entry)(q)) }

func moreUrgent(a, b *entry) bool {
	if a.row.Priority != b.row.Priority {
		return a.row.Priority > b.row.Priority
	}
	return bytes.Compare(a.row.ID[:], b.row.ID[:]) < 0
}

// sleepers is a heap of what will want work later, the earliest first.
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

// enqueue notes that a task wants work at its WakeAt.
func (s *Store) enqueue(e *entry, now time.Time) {
	if e.row.WakeAt.After(now) {
		e.until = e.row.WakeAt
		if e.asleep > 0 {
			heap.Fix(&s.sleeping, e.asleep-1)
		} else {
			heap.Push(&s.sleeping, e)
		}
		return
	}
	if e.queued {
		return
	}
	key := queueKey{tasker.TemplateKey{Namespace: e.row.Namespace, Hash: e.row.Hash}, e.row.Tag}
	q := s.queues[key]
	if q == nil {
		q = &queue{}
		s.queues[key] = q
	}
	e.queued = true
	heap.Push(q, e)
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
	s.wake(now)
	found := tasker.Candidates{Now: now}
	var given []*entry
	namespaces := s.namespacesFor(&q)
	for len(namespaces) > 0 && len(given) < q.Limit {
		s.turn++
		n := s.turn % len(namespaces)
		e := popUrgent(namespaces[n].queues, now)
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
	if len(s.sleeping) > 0 {
		found.NextWake = s.sleeping[0].until
	}
	return found, nil
}

// wake moves what has slept long enough to its queue.
func (s *Store) wake(now time.Time) {
	for len(s.sleeping) > 0 && !s.sleeping[0].until.After(now) {
		if e := heap.Pop(&s.sleeping).(*entry); e.wantsWork(now) {
			s.enqueue(e, now)
		}
	}
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
		if len(*queue) == 0 {
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

// popUrgent takes the most urgent task out of a namespace's queues, passing
// over those that want no work any more.
func popUrgent(queues []*queue, now time.Time) *entry {
	for {
		var best *queue
		for _, q := range queues {
			if len(*q) > 0 && (best == nil || moreUrgent((*q)[0], (*best)[0])) {
				best = q
			}
		}
		if best == nil {
			return nil
		}
		e := heap.Pop(best).(*entry)
		e.queued = false
		if e.wantsWork(now) {
			return e
		}
	}
}
