package tasker

import (
	"context"
	"time"
)

const (
	minRetention = time.Hour // whoever waits for a task must find how it ended
	purgeEvery   = time.Minute
	purgeAtOnce  = 500 // tasks
)

// purge deletes what ended long ago, a batch at a time. Every worker may do
// so: they take turns by chance.
func (w *worker) purge() {
	if w.purgeAt.IsZero() || w.purging || w.stopping || w.now.Before(w.purgeAt) {
		return
	}
	w.purging = true
	limit := w.mostPurge
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), w.config.Lease)
		defer cancel()
		n, err := w.store.Purge(ctx, w.config.Retention, limit)
		w.do(func() { w.purged(n, limit, err) })
	}()
}

func (w *worker) purged(n, limit int, err error) {
	w.purging = false
	w.purgeAt = w.now.Add(purgeEvery/2 + time.Duration(w.chance.Int64N(int64(purgeEvery))))
	if err != nil {
		w.mostPurge = max(1, limit/2) // their logs may be more than it can delete in its time
		w.engine.log.Warn("tasker: tasks that ended long ago could not be deleted; it is tried again, with fewer", "tasks", w.mostPurge, "error", err)
		return
	}
	w.mostPurge = min(limit+1, purgeAtOnce)
	if n == limit {
		w.purgeAt = w.now
	}
}
