package storetest

import (
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var finishing = chapter{"finish", []promise{
	{"the end sets the state and the time, and the task has no owner any more", endIsStored},
	{"an operator ends a task that a worker owns", operatorEnds},
	{"an operator ends a task that nobody owns, or one that the dead own", operatorEndsOthers},
	{"a worker may claim and end a task in one append", claimAndEnd},
	{"a task that has ended takes no appends any more", endedTakesNothing},
	{"a task that has ended is never offered", endedIsNotOffered},
	{"a child's end leaves a parent that has ended as it is", endedParent},
	{"a child and its parent may end in one call", familyEnds},
}}

var finals = []tasker.TaskState{tasker.TaskComplete, tasker.TaskError, tasker.TaskCancelled, tasker.TaskResolved}

func endIsStored(w *world) {
	k := w.join()
	for _, state := range finals {
		task := k.has()
		answer := w.stores(finishes(w.next(task, k.id), state))
		row := w.row(task)
		if row.State != state || row.Owner != nobody || !row.WakeAt.IsZero() || !row.FinishedAt.Equal(answer.At) {
			w.Errorf("after its end at %v the row is %+v", answer.At, row)
		}
		if _, owned := k.owned()[task]; owned {
			w.Error("the worker is told that it owns a task that has ended")
		}
	}
}

func operatorEnds(w *world) {
	k := w.join()
	task := k.has()
	w.stores(pokes(finishes(w.next(task, nobody), tasker.TaskCancelled)))
	if row := w.row(task); row.State != tasker.TaskCancelled || row.Owner != nobody || row.FinishedAt.IsZero() {
		w.Errorf("the row is %+v", row)
	}
	if len(k.owned()) > 0 {
		w.Error("the worker is told that it owns the task")
	}
	w.refuses(w.next(task, k.id), "a record of the worker after the operator's end")
}

func operatorEndsOthers(w *world) {
	k, faded, dead := w.join(), w.join(), w.join()
	ofFaded, ofDead, slept := faded.has(), dead.has(), k.has()
	w.stores(releases(w.next(slept, k.id), tasker.TaskWaitingForRetry, time.Hour))
	dead.dies()
	faded.fades()
	for _, task := range []tasker.ID{ofFaded, ofDead, slept, k.parked(), w.submit()} { // the first one before anybody looks for the dead
		before := w.load(task)
		answer := w.stores(pokes(finishes(w.next(task, nobody), tasker.TaskCancelled)))
		after := w.load(task)
		if row := after.Row; row.State != tasker.TaskCancelled || row.Owner != nobody || !row.WakeAt.IsZero() || !row.FinishedAt.Equal(answer.At) || row.Poke != before.Row.Poke+1 {
			w.Errorf("the row was %+v and is %+v", before.Row, row)
		}
		w.join() // a look for the dead
		w.same(after, w.load(task), "the burial of its former owner")
	}
	if found := w.offers(w.any(10)); len(found.Logs) > 0 || !found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, the next at %v", len(found.Logs), found.NextWake)
	}
}

func claimAndEnd(w *world) {
	k := w.join()
	task := w.submit()
	w.stores(finishes(w.next(task, k.id), tasker.TaskError))
	if row := w.row(task); row.State != tasker.TaskError || row.Owner != nobody {
		w.Errorf("the row is %+v", row)
	}
}

func endedTakesNothing(w *world) {
	k := w.join()
	for _, state := range finals {
		task := k.has()
		w.stores(finishes(w.next(task, k.id), state))
		for what, a := range map[string]tasker.Append{
			"a record":           w.next(task, k.id),
			"an operator's":      w.next(task, nobody),
			"a claim":            owns(w.next(task, k.id)),
			"a release":          releases(w.next(task, k.id), tasker.TaskWaiting, 0),
			"another end":        finishes(w.next(task, nobody), tasker.TaskResolved),
			"a poke":             pokes(w.next(task, nobody)),
			"steering":           steers(w.next(task, nobody), tasker.TaskWaiting, 0),
			"a silent claim":     silent(owns(w.next(task, k.id))),
			"a silent release":   silent(releases(w.next(task, k.id), tasker.TaskWaiting, 0)),
			"a record and child": withChild(w.next(task, k.id), w.task()),
		} {
			w.refuses(a, what+" after the end")
			for _, child := range a.Children {
				if w.exists(child.Row.ID) {
					w.Error("a task that has ended has a new child")
				}
			}
		}
	}
}

func withChild(a tasker.Append, child tasker.NewTask) tasker.Append {
	a.Children = []tasker.NewTask{child}
	return a
}

func endedIsNotOffered(w *world) {
	k := w.join()
	fresh, owned, slept := w.submit(), k.has(), k.has()
	w.stores(releases(w.next(slept, k.id), tasker.TaskWaitingForRetry, long))
	for _, task := range []tasker.ID{fresh, owned, slept} {
		w.stores(pokes(finishes(w.next(task, nobody), tasker.TaskCancelled)))
	}
	k.dies() // which frees what it owns
	if found := w.offers(w.any(10)); len(found.Logs) > 0 || !found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, and the next at %v", len(found.Logs), found.NextWake)
	}
}

func endedParent(w *world) {
	k := w.join()
	parent := k.has()
	child := k.has(childOf(parent))
	w.stores(finishes(w.next(parent, k.id), tasker.TaskError))
	w.stores(finishes(w.next(child, k.id), tasker.TaskComplete))
	if row := w.row(parent); row.State != tasker.TaskError || row.Owner != nobody || !row.WakeAt.IsZero() || w.isOffered(parent) {
		w.Errorf("the parent is %+v", row)
	}
}

func familyEnds(w *world) {
	k := w.join()
	for _, childFirst := range []bool{true, false} {
		parent := k.has()
		child := k.has(childOf(parent))
		call := []tasker.Append{finishes(w.next(parent, k.id), tasker.TaskError), finishes(w.next(child, k.id), tasker.TaskComplete)}
		if childFirst {
			call[0], call[1] = call[1], call[0]
		}
		for i, answer := range w.appendAll(call...) {
			if !answer.Stored {
				w.Errorf("append %d is refused", i)
			}
		}
		if p, c := w.row(parent), w.row(child); p.State != tasker.TaskError || c.State != tasker.TaskComplete || p.Owner != nobody || w.isOffered(parent) {
			w.Errorf("child first %v: the parent is %+v, the child %s", childFirst, p, c.State)
		}
	}
}
