package tasker

import "slices"

// share is what a template's tasks have of the slots, or those of a namespace.
// What is held to some of the slots is held to as much of what a worker may
// hold: else a rush of it, claimed and waiting for its few slots, would leave no
// room to claim what others could start at once.
//
// Nor may one task leave no room. Of a task with more steps than there are slots
// those beyond that number come to nothing for a while, and are not counted.
type share struct {
	limit        int      // slots at once; 0 for no limit
	used, queued int      // steps that have a slot, and steps that wait for one
	beyond       int      // steps of tasks that have more than there are slots
	of           *share   // a template's: that of its namespace
	templates    []*share // a namespace's: those of its templates
}

// shareOf gives the share that a template's tasks have.
func (w *worker) shareOf(key TemplateKey) *share {
	if s := w.shares[key]; s != nil {
		return s
	}
	s := &share{}
	w.shares[key] = s
	if key.Hash == "" {
		s.limit = w.config.NamespaceConcurrency[key.Namespace]
		w.namespaces = append(w.namespaces, s)
		return s
	}
	s.limit, s.of = w.engine.limitOf(key.Hash), w.shareOf(TemplateKey{Namespace: key.Namespace})
	s.of.templates = append(s.of.templates, s)
	return s
}

// add counts steps that have a slot, and steps that wait for one.
func (s *share) add(used, queued, beyond int) {
	for ; s != nil; s = s.of {
		s.used, s.queued, s.beyond = s.used+used, s.queued+queued, s.beyond+beyond
	}
}

// hasSlot says whether another step may have a slot.
func (s *share) hasSlot() bool {
	for ; s != nil; s = s.of {
		if s.limit > 0 && s.used >= s.limit {
			return false
		}
	}
	return true
}

// hasRoom says whether another task may be held and, with half, whether half of
// what may be held is free.
func (s *share) hasRoom(half bool) bool {
	for ; s != nil; s = s.of {
		least := 1
		if half {
			least = s.limit
		}
		if s.limit > 0 && holdPerSlot*s.limit-s.used-s.queued < least {
			return false
		}
	}
	return true
}

// heldBack is how many of the steps that wait for a slot must not have one, or
// do not for a while.
func (s *share) heldBack() int {
	all := s.beyond
	if len(s.templates) > 0 {
		all = 0
		for _, t := range s.templates {
			all += t.heldBack()
		}
	}
	if s.limit > 0 {
		all = max(all, s.queued-max(0, s.limit-s.used))
	}
	return all
}

// mayHold says whether another task of a template may be taken.
func (w *worker) mayHold(key TemplateKey) bool {
	return w.shareOf(key).hasRoom(false) && w.hasPlace(key.Namespace)
}

// hasPlace says whether there may be a place left of those that all workers
// together have for a namespace. How many the others have is known by a claim
// that was refused, and only for so long as a poll.
func (w *worker) hasPlace(namespace string) bool {
	limit := w.config.ClusterConcurrency[namespace]
	return limit <= 0 || w.heldBy[namespace] < limit && !w.now.Before(w.refusedUntil[namespace])
}

// hold counts a task that is taken, or let go.
func (w *worker) hold(h *held, n int) {
	namespace := h.row.Namespace
	if w.config.ClusterConcurrency[namespace] <= 0 {
		return
	}
	w.heldBy[namespace] += n
	if n < 0 && h.owned {
		delete(w.refusedUntil, namespace) // that place is free
	}
}

// refused notes that a claim was refused: where it had a limit, the others may
// have all places.
func (w *worker) refused(h *held, a *Append) {
	if a.Limit > 0 {
		w.refusedUntil[h.row.Namespace] = w.now.Add(w.config.Poll)
		w.full[h.key()] = true
	}
}

// places is how many tasks may be taken at most, where all templates are of
// namespaces with a limit for all workers.
func (w *worker) places(keys []TemplateKey, most int) int {
	all, counted := 0, map[string]bool{}
	for _, key := range keys {
		limit := w.config.ClusterConcurrency[key.Namespace]
		if limit <= 0 {
			return most
		}
		if !counted[key.Namespace] {
			counted[key.Namespace] = true
			all += limit - w.heldBy[key.Namespace]
		}
	}
	return min(all, most)
}

// asksFor says whether the store is asked for tasks of a template: once half of
// what may be held of it is free, as with all of them together.
func (w *worker) asksFor(key TemplateKey) bool {
	return w.shareOf(key).hasRoom(true) && w.hasPlace(key.Namespace)
}

// wanted are the templates whose tasks the store is asked for.
func (w *worker) wanted(keys []TemplateKey) []TemplateKey {
	return slices.DeleteFunc(slices.Clone(keys), func(key TemplateKey) bool {
		if w.asksFor(key) {
			return false
		}
		w.full[key] = true
		return true
	})
}

// lookAtFull has the store asked again for templates that were left out, once
// there is room for them.
func (w *worker) lookAtFull() {
	for key := range w.full {
		if w.asksFor(key) {
			delete(w.full, key)
			w.moreWork = !w.stopping
		}
	}
}

// competing is how many held steps have a slot or could take one now: all but
// those whose namespace or template has its share, or whose task has more than
// its fill.
func (w *worker) competing() int {
	n := w.used + w.queued
	for _, namespace := range w.namespaces {
		n -= namespace.heldBack()
	}
	return n
}

// takeSlot counts slots that steps of a task take, or give back.
func (w *worker) takeSlot(h *held, n int) { w.countSteps(h, n, 0) }

// enqueue counts steps of a task that could start if there were slots.
func (w *worker) enqueue(h *held, n int) { w.countSteps(h, 0, n) }

func (w *worker) countSteps(h *held, used, queued int) {
	w.used, w.queued = w.used+used, w.queued+queued
	before := max(0, h.used+h.queued-w.config.Concurrency)
	h.used, h.queued = h.used+used, h.queued+queued
	h.share.add(used, queued, max(0, h.used+h.queued-w.config.Concurrency)-before)
}
