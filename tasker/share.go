package tasker

// A namespace that is held to some of the slots is held to as much of what a
// worker may hold: else a rush of its tasks, claimed and waiting for their few
// slots, would leave no room to claim what others could start at once.

// mayHold says whether another task of a namespace may be taken.
func (w *worker) mayHold(namespace string) bool {
	limit := w.config.NamespaceConcurrency[namespace]
	return limit <= 0 || w.usedBy[namespace]+w.queuedBy[namespace] < holdPerSlot*limit
}

// asksFor says whether the store is asked for tasks of a namespace: once half
// of what may be held of it is free, as with all of them together.
func (w *worker) asksFor(namespace string) bool {
	limit := w.config.NamespaceConcurrency[namespace]
	return limit <= 0 || w.usedBy[namespace]+w.queuedBy[namespace] <= (holdPerSlot-1)*limit
}

// wanted are the templates whose tasks the store is asked for.
func (w *worker) wanted(keys []TemplateKey) []TemplateKey {
	if len(w.config.NamespaceConcurrency) == 0 {
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
