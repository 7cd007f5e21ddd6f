package tasker

// A namespace that is held to some of the slots is held to as much of what a
// worker may hold: else a rush of its tasks, claimed and waiting for their few
// slots, would leave no room to claim what others could start at once.

// mayHold says whether another task of a namespace may be taken.
func (w *worker) mayHold(namespace string) bool {
	limit := w.config.NamespaceConcurrency[namespace]
	return (limit <= 0 || w.usedBy[namespace]+w.queuedBy[namespace] < holdPerSlot*limit) && w.hasPlace(namespace)
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
func (w *worker) refused(a *Append, namespace string) {
	if a.Limit > 0 {
		w.refusedUntil[namespace] = w.now.Add(w.config.Poll)
		w.full[namespace] = true
	}
}

// claimed has the store asked again, where a place may be left: while the claim
// was under way, the task itself was offered for it.
func (w *worker) claimed(h *held) {
	if w.config.ClusterConcurrency[h.row.Namespace] > 0 {
		w.full[h.row.Namespace] = true
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

// asksFor says whether the store is asked for tasks of a namespace: once half
// of what may be held of it is free, as with all of them together.
func (w *worker) asksFor(namespace string) bool {
	limit := w.config.NamespaceConcurrency[namespace]
	return (limit <= 0 || w.usedBy[namespace]+w.queuedBy[namespace] <= (holdPerSlot-1)*limit) && w.hasPlace(namespace)
}

// wanted are the templates whose tasks the store is asked for.
func (w *worker) wanted(keys []TemplateKey) []TemplateKey {
	if len(w.config.NamespaceConcurrency)+len(w.config.ClusterConcurrency) == 0 {
		return keys
	}
	var wanted []TemplateKey
	for _, key := range keys {
		if w.asksFor(key.Namespace) {
			wanted = append(wanted, key)
		} else {
			w.full[key.Namespace] = true
		}
	}
	return wanted
}

// lookAtFull has the store asked again for namespaces that were left out, once
// there is room for them.
func (w *worker) lookAtFull() {
	for namespace := range w.full {
		if w.asksFor(namespace) {
			delete(w.full, namespace)
			w.moreWork = !w.stopping
		}
	}
}

// competing is how many held steps have a slot or could take one now: all but
// those whose namespace has its share.
func (w *worker) competing() int {
	n := w.used + w.queued
	for namespace, limit := range w.config.NamespaceConcurrency {
		if limit > 0 {
			n -= max(0, w.queuedBy[namespace]-max(0, limit-w.usedBy[namespace]))
		}
	}
	return n
}

// enqueue counts steps of a task that could start if there were slots.
func (w *worker) enqueue(h *held, n int) {
	w.queued += n
	if len(w.config.NamespaceConcurrency) > 0 {
		w.queuedBy[h.row.Namespace] += n
	}
}
