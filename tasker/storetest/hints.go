package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var hinting = chapter{"hints", []promise{
	{"a listener hears of new work", hearsWork},
	{"a listener hears of a task that comes to rest, and of one that ends", hearsEnds},
	{"a listener hears of a poke", hearsPokes},
	{"whoever has stopped listening is not called", stopsListening},
	{"whoever listens may use the store, and stop", listenerUsesStore},
	{"a call whose context has ended says so and does nothing", endedContext},
	{"a call whose time has passed says so and does nothing", passedContext},
}}

// ear keeps what a listener was told.
type ear struct {
	mu    sync.Mutex
	hints []tasker.Hint
}

func (e *ear) hear(h tasker.Hint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hints = append(e.hints, h)
}

func (e *ear) heard(kind tasker.HintKind, task tasker.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.hints {
		if h.Kind == kind && (h.Task == task || h.Task.IsZero()) {
			return true
		}
	}
	return false
}

// hears does something until a listener is told of it: one hint may be lost,
// but not all.
func (w *world) hears(kind tasker.HintKind, do func() tasker.ID) {
	w.Helper()
	var e ear
	defer w.Listen(e.hear)()
	w.eventually("a listener hears of it", func() bool {
		task := do()
		for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); time.Sleep(time.Millisecond) {
			if e.heard(kind, task) {
				return true
			}
		}
		return false
	})
}

func hearsWork(w *world) {
	w.hears(tasker.HintWork, func() tasker.ID { return w.submit() })
	k := w.join()
	w.hears(tasker.HintWork, func() tasker.ID {
		task := k.has()
		w.stores(releases(w.next(task, k.id), tasker.TaskInProgress, 0))
		return task
	})
	w.hears(tasker.HintWork, func() tasker.ID {
		gone := w.join()
		task := gone.has()
		if err := w.Leave(w.Context(), gone.id); err != nil {
			w.Fatal(err)
		}
		return task
	})
	w.hears(tasker.HintWork, func() tasker.ID {
		task := k.parked()
		w.stores(pokes(w.next(task, nobody)))
		return task
	})
	for _, wait := range []time.Duration{0, time.Hour} {
		w.hears(tasker.HintWork, func() tasker.ID {
			task := k.parked()
			w.stores(steers(w.next(task, nobody), tasker.TaskInProgress, wait))
			return task
		})
	}
	w.hears(tasker.HintWork, func() tasker.ID {
		task := k.waitsFor(w.id())
		k.beat()
		return task
	})
}

func hearsEnds(w *world) {
	k := w.join()
	w.hears(tasker.HintEnd, func() tasker.ID {
		task := k.has()
		w.stores(finishes(w.next(task, k.id), tasker.TaskComplete))
		return task
	})
	w.hears(tasker.HintEnd, func() tasker.ID {
		task := k.has()
		w.stores(releases(w.next(task, k.id), tasker.TaskBlocked, -1))
		return task
	})
	w.hears(tasker.HintEnd, func() tasker.ID {
		task := w.submit()
		w.stores(steers(w.next(task, nobody), tasker.TaskBlocked, -1))
		return task
	})
	w.hears(tasker.HintEnd, func() tasker.ID {
		task := w.submit()
		w.stores(pokes(finishes(w.next(task, nobody), tasker.TaskCancelled)))
		return task
	})
}

func hearsPokes(w *world) {
	k := w.join()
	task := k.has()
	w.hears(tasker.HintPoke, func() tasker.ID {
		w.stores(pokes(w.next(task, nobody)))
		return task
	})
	w.hears(tasker.HintPoke, func() tasker.ID {
		w.stores(steers(w.next(task, nobody), tasker.TaskBlocked, -1))
		return task
	})
	w.hears(tasker.HintPoke, func() tasker.ID {
		w.stores(finishes(w.next(k.has(childOf(task)), k.id), tasker.TaskComplete))
		return task
	})
}

func stopsListening(w *world) {
	var gone ear
	stop := w.Listen(gone.hear)
	w.hears(tasker.HintWork, func() tasker.ID { return w.submit() }) // while both listen
	stop()
	gone.mu.Lock()
	before := len(gone.hints)
	gone.mu.Unlock()
	k := w.join()
	for range 3 { // these come after what was under way when it stopped
		w.hears(tasker.HintEnd, func() tasker.ID {
			task := k.has()
			w.stores(finishes(w.next(task, k.id), tasker.TaskComplete))
			return task
		})
	}
	gone.mu.Lock()
	defer gone.mu.Unlock()
	for _, h := range gone.hints[before:] {
		if h.Kind == tasker.HintEnd {
			w.Fatal("a listener that has stopped was told of an end")
		}
	}
}

func listenerUsesStore(w *world) {
	called := make(chan struct{})
	var once sync.Once
	var stop func()
	ready := make(chan struct{})
	stop = w.Listen(func(tasker.Hint) {
		select {
		case <-ready:
		default:
			return
		}
		once.Do(func() { // a store that calls with a lock held would hang here
			w.Listen(func(tasker.Hint) {})()
			stop()
			close(called)
		})
	})
	close(ready)
	w.eventually("the listener has come back", func() bool {
		w.submit()
		select {
		case <-called:
			return true
		default:
			return false
		}
	})
	stop() // twice does no harm
}

func endedContext(w *world) {
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	w.refusesContext(ctx, context.Canceled)
}

func passedContext(w *world) {
	ctx, cancel := context.WithDeadline(w.Context(), time.Now().Add(-time.Second))
	defer cancel()
	w.refusesContext(ctx, context.DeadlineExceeded)
}

// refusesContext makes every call with a context that has ended.
func (w *world) refusesContext(ctx context.Context, want error) {
	k, fresh := w.join(), w.id()
	task := k.has()
	before := w.load(task)
	submitted, other := w.task(), text("shop", "late", "1.0.0", "")
	for name, call := range map[string]func() error{
		"SaveTemplates": func() error {
			_, err := w.SaveTemplates(ctx, []tasker.StoredTemplate{other}, true)
			return err
		},
		"Templates":  func() error { _, err := w.Templates(ctx); return err },
		"Submit":     func() error { _, err := w.Submit(ctx, []tasker.NewTask{submitted}); return err },
		"Append":     func() error { _, err := w.Append(ctx, []tasker.Append{pokes(w.next(task, k.id))}); return err },
		"Load":       func() error { _, err := w.Load(ctx, task); return err },
		"Candidates": func() error { _, err := w.Candidates(ctx, w.any(1)); return err },
		"Beat": func() error {
			_, err := w.Beat(ctx, tasker.Beat{Worker: fresh, Lease: long, First: true})
			return err
		},
		"Leave": func() error { return w.Leave(ctx, k.id) },
		"Purge": func() error { _, err := w.Purge(ctx, tasker.Retention{Tasks: time.Hour}, 10); return err },
		"Rows":  func() error { _, err := w.Rows(ctx, tasker.Filter{}); return err },
	} {
		if err := call(); !errors.Is(err, want) {
			w.Errorf("%s gives %v, want %v", name, err, want)
		}
	}
	w.same(before, w.load(task), "a call whose context had ended")
	if w.exists(submitted.Row.ID) || len(w.saved()) != 1 || !(worker{w, fresh}).isDead() || k.isDead() {
		w.Error("a call whose context had ended has done something")
	}
}
