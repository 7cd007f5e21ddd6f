package storetest

import (
	"errors"

	"github.com/tasker-systems/tasker-go/tasker"
)

var bearing = chapter{"children", []promise{
	{"children are stored with the record", childrenAreStored},
	{"a child whose identity is taken is passed over", takenChildIsPassedOver},
	{"a child whose template was not saved, and nothing of the call is stored", childWithoutTemplate},
	{"two parents in one call may have one child in mind", oneChildOfTwo},
}}

func childrenAreStored(w *world) {
	k := w.join()
	root := w.submit()
	parent := k.has(childOf(root))
	a := w.next(parent, k.id)
	for range 3 {
		child := w.task(childOf(parent), tagged("run"))
		child.Row.Root = root
		a.Children = append(a.Children, child)
	}
	w.stores(a)
	for i := range a.Children {
		want := &a.Children[i]
		log := w.load(want.Row.ID)
		if row := log.Row; row.Parent != parent || row.Root != root || row.Tag != "run" || row.State != tasker.TaskPending || row.Owner != nobody {
			w.Errorf("the child's row is %+v", row)
		}
		if len(log.Records) != 1 || log.Records[0].ID != want.Record.ID || log.Records[0].Seq != 1 {
			w.Errorf("the child's log is %+v", log.Records)
		}
		if !w.isOffered(want.Row.ID) {
			w.Error("the child is not offered")
		}
	}
}

func takenChildIsPassedOver(w *world) {
	k := w.join()
	first := w.submit(called("mine"))
	parent := k.has()
	taken, free := w.task(childOf(parent), called("mine")), w.task(childOf(parent), called("other"))
	a := w.next(parent, k.id)
	a.Children = []tasker.NewTask{taken, free}
	w.stores(a)
	if w.exists(taken.Row.ID) || !w.exists(free.Row.ID) {
		w.Errorf("the child with a taken identity is there: %v, the other one: %v", w.exists(taken.Row.ID), w.exists(free.Row.ID))
	}
	if w.row(first).Parent != nobody {
		w.Error("the task that has the identity was changed")
	}
}

func childWithoutTemplate(w *world) {
	k := w.join()
	one, two := k.has(), k.has()
	a := w.next(one, k.id)
	a.Children = []tasker.NewTask{w.task(childOf(one)), w.task(of(text("shop", "order", "9.9.9", "not saved")))}
	before, beforeTwo := w.load(one), w.load(two)
	if _, err := w.Append(w.Context(), []tasker.Append{w.next(two, k.id), a}); !errors.Is(err, tasker.ErrNoTemplate) {
		w.Errorf("the error is %v, want ErrNoTemplate", err)
	}
	w.same(before, w.load(one), "a child without template")
	w.same(beforeTwo, w.load(two), "a child without template")
	if w.exists(a.Children[0].Row.ID) || w.exists(a.Children[1].Row.ID) {
		w.Error("a child is there")
	}
}

func oneChildOfTwo(w *world) {
	k := w.join()
	one, two := k.has(), k.has()
	a, b := w.next(one, k.id), w.next(two, k.id)
	a.Children = []tasker.NewTask{w.task(childOf(one), called("shared"))}
	b.Children = []tasker.NewTask{w.task(childOf(two), called("shared"))}
	for _, answer := range w.appendAll(a, b) {
		if !answer.Stored {
			w.Error("an append is refused for its child's identity")
		}
	}
	if w.exists(a.Children[0].Row.ID) == w.exists(b.Children[0].Row.ID) {
		w.Errorf("the child of the first is there: %v, and so is that of the second", w.exists(a.Children[0].Row.ID))
	}
}
