package storetest

import (
	"errors"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var retaining = chapter{"retain", []promise{
	{"what ended before its term is deleted, and nothing else", purgesTheOld},
	{"a term of zero has no end", purgesNothing},
	{"a child stays while its parent goes on", purgesNoChild},
	{"an identity with a longer term outlives the log and still stands for its task", keyOutlives},
	{"an identity with a shorter term is given up, and its task stays", keyIsGivenUp},
	{"deleting is done in batches, the oldest end first", purgesInBatches},
}}

const soon = time.Millisecond // a term that is over by the time that one asks

func (w *world) purges(terms tasker.Retention, limit, want int) {
	w.Helper()
	n := 0
	w.surely(func() (err error) { n, err = w.Purge(w.Context(), terms, limit); return err })
	if n != want {
		w.Errorf("%d tasks were dealt with, want %d", n, want)
	}
}

// old is a task that ended a while ago.
func (k worker) old(changes ...func(*tasker.Row)) tasker.ID {
	k.Helper()
	task := k.has(changes...)
	answer := k.stores(finishes(k.next(task, k.id), tasker.TaskComplete))
	k.eventually("the end is past", func() bool { return k.clock().Sub(answer.At) > 5*soon })
	return task
}

func (w *world) isGone(task tasker.ID, as error) {
	w.Helper()
	if _, err := w.Load(w.Context(), task); !errors.Is(err, as) {
		w.Errorf("to read the task gets %v, want %v", err, as)
	}
}

func (w *world) listed(task tasker.ID) bool {
	w.Helper()
	return len(w.list(tasker.Filter{IDs: []tasker.ID{task}})) == 1
}

func purgesTheOld(w *world) {
	k := w.join()
	old, runs, waits := k.old(), k.has(), w.submit()
	w.purges(tasker.Retention{Tasks: time.Hour, Keys: time.Hour}, 10, 0)
	w.purges(tasker.Retention{Tasks: soon}, 10, 1)
	w.isGone(old, tasker.ErrNotFound)
	if w.listed(old) || !w.exists(runs) || !w.exists(waits) {
		w.Error("the wrong tasks are there")
	}
	w.purges(tasker.Retention{Tasks: soon}, 10, 0)
}

func purgesNothing(w *world) {
	k := w.join()
	old := k.old(called("a"))
	w.purges(tasker.Retention{}, 10, 0)
	if !w.exists(old) {
		w.Error("the task is gone")
	}
}

func purgesNoChild(w *world) {
	k := w.join()
	parent := k.has()
	child := k.old(childOf(parent))
	w.purges(tasker.Retention{Tasks: soon}, 10, 0)
	answer := w.stores(finishes(w.next(parent, k.id), tasker.TaskComplete))
	w.eventually("the end is past", func() bool { return w.clock().Sub(answer.At) > 5*soon })
	w.purges(tasker.Retention{Tasks: soon}, 10, 2)
	w.isGone(child, tasker.ErrNotFound)
}

func keyOutlives(w *world) {
	k := w.join()
	old := k.old(called("a"))
	w.purges(tasker.Retention{Tasks: soon, Keys: time.Hour}, 10, 1)
	w.isGone(old, tasker.ErrPurged)
	if row := w.submitAll(w.task(called("a")))[0]; row.ID != old || !w.listed(old) {
		w.Errorf("its identity stands for task %s", row.ID)
	}
	w.purges(tasker.Retention{Tasks: soon, Keys: time.Hour}, 10, 0)
	w.purges(tasker.Retention{Tasks: soon, Keys: soon}, 10, 1)
	w.isGone(old, tasker.ErrNotFound)
	if again := w.task(called("a")); w.submitAll(again)[0].ID != again.Row.ID {
		w.Error("the identity is not free")
	}
}

func keyIsGivenUp(w *world) {
	k := w.join()
	old := k.old(called("a"))
	w.purges(tasker.Retention{Tasks: time.Hour, Keys: soon}, 10, 1)
	if again := w.task(called("a")); w.submitAll(again)[0].ID != again.Row.ID || !w.exists(old) {
		w.Error("the identity is not free, or the task is gone")
	}
	w.purges(tasker.Retention{Tasks: soon, Keys: soon}, 10, 1)
	w.isGone(old, tasker.ErrNotFound)
}

func purgesInBatches(w *world) {
	k := w.join()
	first, second, third := k.old(), k.old(), k.old()
	w.purges(tasker.Retention{Tasks: soon}, 2, 2)
	w.isGone(first, tasker.ErrNotFound)
	w.isGone(second, tasker.ErrNotFound)
	if !w.exists(third) {
		w.Error("the newest was deleted before its turn")
	}
}
