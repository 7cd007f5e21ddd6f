package tasker

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// ready holds the tasks that have steps to start, and gives out the free
// slots fairly: round the namespaces, within one by priority, and every
// eighth time to the oldest of all, so that nothing starves.
type ready struct {
	namespaces []*readyNamespace // in the order of their names
	byName     map[string]*readyNamespace
	oldest     taskHeap
	turn       int // the namespace whose turn it is
	picks      int
}

type readyNamespace struct {
	name  string
	tasks taskHeap
}

// oldestEvery is how often the oldest task is picked, whatever its priority. It
// is also how often the store is asked for the oldest.
const oldestEvery = 8

// push adds a task that has steps to start. A task that stands there already
// stays where it is.
func (r *ready) push(h *held) {
	ns := r.byName[h.row.Namespace]
	if ns == nil {
		ns = &readyNamespace{name: h.row.Namespace, tasks: taskHeap{before: morePressing, slot: inNamespace}}
		if r.byName == nil {
			r.byName = map[string]*readyNamespace{}
			r.oldest = taskHeap{before: older, slot: amongAll}
		}
		r.byName[ns.name] = ns
		at, _ := slices.BinarySearchFunc(r.namespaces, ns.name, func(n *readyNamespace, name string) int { return cmp.Compare(n.name, name) })
		r.namespaces = slices.Insert(r.namespaces, at, ns)
	}
	ns.tasks.add(h)
	r.oldest.add(h)
}

// pick chooses the task whose step starts next, among those that may start
// one now; nil when there is none. The task stays until remove.
func (r *ready) pick(mayStart func(*held) bool) *held {
	h := r.next(mayStart)
	if h != nil {
		r.picks++
	}
	return h
}

func (r *ready) next(mayStart func(*held) bool) *held {
	if r.picks%oldestEvery == oldestEvery-1 {
		if h := r.oldest.first(mayStart); h != nil {
			return h
		}
	}
	for range r.namespaces {
		ns := r.namespaces[r.turn%len(r.namespaces)]
		r.turn = (r.turn + 1) % len(r.namespaces)
		if h := ns.tasks.first(mayStart); h != nil {
			return h
		}
	}
	return nil
}

// remove takes a task out, wherever it stands.
func (r *ready) remove(h *held) {
	if ns := r.byName[h.row.Namespace]; ns != nil {
		ns.tasks.drop(h)
		r.oldest.drop(h)
	}
}

func older(a, b *held) bool { return bytes.Compare(a.row.ID[:], b.row.ID[:]) < 0 }

func morePressing(a, b *held) bool {
	if a.row.Priority != b.row.Priority {
		return a.row.Priority > b.row.Priority
	}
	return older(a, b)
}

// slot says where a task keeps its position in a heap, so that it can be
// found and taken out again.
type slot int

const (
	inNamespace slot = iota
	amongAll
	amongWaiting
	slots
)

// taskHeap is a heap of held tasks.
type taskHeap struct {
	tasks  []*held
	before func(a, b *held) bool
	slot   slot
}

func (q *taskHeap) Len() int           { return len(q.tasks) }
func (q *taskHeap) Less(i, j int) bool { return q.before(q.tasks[i], q.tasks[j]) }
func (q *taskHeap) Swap(i, j int) {
	q.tasks[i], q.tasks[j] = q.tasks[j], q.tasks[i]
	q.tasks[i].at[q.slot], q.tasks[j].at[q.slot] = i+1, j+1
}
func (q *taskHeap) Push(x any) {
	h := x.(*held)
	q.tasks = append(q.tasks, h)
	h.at[q.slot] = len(q.tasks)
}
func (q *taskHeap) Pop() any {
	last := len(q.tasks) - 1
	h := q.tasks[last]
	q.tasks[last] = nil
	q.tasks = q.tasks[:last]
	h.at[q.slot] = 0
	return h
}

// add puts a task in, or moves it after its order has changed.
func (q *taskHeap) add(h *held) {
	if at := h.at[q.slot]; at > 0 {
		heap.Fix(q, at-1)
		return
	}
	heap.Push(q, h)
}

func (q *taskHeap) drop(h *held) {
	if at := h.at[q.slot]; at > 0 {
		heap.Remove(q, at-1)
	}
}

// first is the first task that may start. The top is nearly always it; where
// a limit holds it back, the others are looked through.
func (q *taskHeap) first(mayStart func(*held) bool) *held {
	var best *held
	for i, h := range q.tasks {
		if mayStart(h) && (best == nil || q.before(h, best)) {
			best = h
		}
		if i == 0 && best != nil {
			break
		}
	}
	return best
}

// earlierWake orders the tasks that wait for a time.
func earlierWake(a, b *held) bool { return a.wake.Before(b.wake) }

// due gives a waiting task whose time has come.
func (q *taskHeap) due(now time.Time) *held {
	if len(q.tasks) == 0 || q.tasks[0].wake.After(now) {
		return nil
	}
	return heap.Pop(q).(*held)
}
