package storetest

import (
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var poking = chapter{"poke", []promise{
	{"a release with the poke that was read is done", releaseWithPoke},
	{"a release with an older poke keeps its record and leaves the task with its writer", releaseWithOldPoke},
	{"a claim and release in one append with an older poke makes its writer the owner", claimReleaseWithOldPoke},
	{"a poke wakes a parked task that nobody owns", pokeWakesParked},
	{"a poke wakes a task that sleeps, at once", pokeWakesSleeper},
	{"a poke of an owned task is told by its owner's beat", pokeIsTold},
	{"a child's end pokes its parent, whoever owns it", childPokes},
	{"a child's cancelling pokes its parent", cancelledChildPokes},
	{"a child's rest does not poke its parent", restingChild},
	{"children that end in one call poke their parent", childrenPoke},
	{"a child that ends in the call in which its parent goes to rest is not missed", childEndsAsParentRests},
	{"a child that ends in the call in which its parent goes on is told", childEndsAsParentGoesOn},
	{"a child that ends while its parent goes to rest is not missed", childRacesParent},
	{"an operator that pokes while the owner goes to rest is not missed", operatorRacesOwner},
}}

func releaseWithPoke(w *world) {
	k := w.join()
	task := k.has()
	w.stores(pokes(w.next(task, nobody)))
	w.stores(pokes(w.next(task, nobody)))
	a := releases(w.next(task, k.id), tasker.TaskWaiting, -1)
	if a.IfPoke == 0 {
		w.Fatal("two pokes, and the row's is 0")
	}
	if answer := w.stores(a); !answer.Released {
		w.Error("the release is refused")
	}
	if row := w.row(task); row.State != tasker.TaskWaiting || row.Owner != nobody || row.Poke != a.IfPoke || w.isOffered(task) {
		w.Errorf("the row is %+v", row)
	}
}

// keeps wants a task to be k's still, and in progress.
func (w *world) keeps(k worker, task tasker.ID) {
	w.Helper()
	row := w.row(task)
	if row.Owner != k.id || row.State != tasker.TaskInProgress || w.isOffered(task) {
		w.Errorf("the row is %+v, want it owned by the writer of the release", row)
	}
	if poke, owned := k.owned()[task]; !owned || poke != row.Poke {
		w.Errorf("the beat tells the task: %v, with poke %d of %d", owned, poke, row.Poke)
	}
}

func releaseWithOldPoke(w *world) {
	k := w.join()
	task := k.has()
	for _, wait := range []time.Duration{-1, 0, time.Hour} {
		for _, a := range []tasker.Append{
			releases(w.next(task, k.id), tasker.TaskWaiting, wait),
			silent(releases(w.next(task, k.id), tasker.TaskWaiting, wait)),
		} {
			w.stores(pokes(silent(w.next(task, nobody))))
			before := len(w.load(task).Records)
			a.After = int64(before)
			answer := w.stores(a)
			if answer.Released {
				w.Error("the release is done, and its poke was old")
			}
			if stored := len(w.load(task).Records) - before; stored != len(a.Record.Events) {
				w.Errorf("%d records are stored, want %d", stored, len(a.Record.Events))
			}
			w.keeps(k, task)
		}
	}
}

func claimReleaseWithOldPoke(w *world) {
	k := w.join()
	loud, quiet := w.submit(), w.submit()
	for task, a := range map[tasker.ID]tasker.Append{
		loud:  releases(w.next(loud, k.id), tasker.TaskBlocked, -1),
		quiet: silent(releases(w.next(quiet, k.id), tasker.TaskBlocked, -1)),
	} {
		w.stores(pokes(silent(w.next(task, nobody))))
		if answer := w.stores(a); answer.Released {
			w.Error("the release is done, and its poke was old")
		}
		w.keeps(k, task)
	}
}

func pokeWakesParked(w *world) {
	k := w.join()
	loud, quiet := k.has(), k.has()
	for _, task := range []tasker.ID{loud, quiet} {
		w.stores(releases(w.next(task, k.id), tasker.TaskWaiting, -1))
	}
	w.stores(pokes(w.next(loud, nobody)))
	w.stores(pokes(silent(w.next(quiet, nobody))))
	for _, task := range []tasker.ID{loud, quiet} {
		if row := w.row(task); row.Poke == 0 || row.State != tasker.TaskWaiting || row.Owner != nobody {
			w.Errorf("the row is %+v", row)
		}
		if !w.isOffered(task) {
			w.Error("the task is not offered")
		}
		k.claims(task)
	}
}

func pokeWakesSleeper(w *world) {
	k := w.join()
	task := k.has()
	w.stores(releases(w.next(task, k.id), tasker.TaskWaitingForRetry, time.Hour))
	w.stores(pokes(w.next(task, nobody)))
	if found := w.offers(w.any(10)); len(found.Logs) != 1 || !found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, the next at %v", len(found.Logs), found.NextWake)
	}
}

func pokeIsTold(w *world) {
	k := w.join()
	task, quiet := k.has(), k.has()
	before := k.owned()
	w.stores(pokes(w.next(task, nobody)))
	after := k.owned()
	if after[task] <= before[task] || after[task] != w.row(task).Poke {
		w.Errorf("the poke was %d and is %d by the beat, %d by the row", before[task], after[task], w.row(task).Poke)
	}
	if after[quiet] != before[quiet] {
		w.Error("another task was poked")
	}
	if w.isOffered(task) {
		w.Error("an owned task is offered")
	}
}

func childPokes(w *world) {
	k := w.join()
	owned, parked := k.has(), k.has()
	w.stores(releases(w.next(parked, k.id), tasker.TaskWaiting, -1))
	for _, parent := range []tasker.ID{owned, parked} {
		before := w.load(parent)
		child := k.has(childOf(parent))
		w.stores(finishes(w.next(child, k.id), tasker.TaskComplete))
		after := w.load(parent)
		if after.Row.Poke <= before.Row.Poke || after.Row.State != before.Row.State || after.Row.Owner != before.Row.Owner || len(after.Records) != len(before.Records) {
			w.Errorf("the parent was %+v and is %+v", before.Row, after.Row)
		}
	}
	if told := k.owned()[owned]; told != w.row(owned).Poke {
		w.Errorf("the beat tells poke %d of %d", told, w.row(owned).Poke)
	}
	if got := w.offered(); len(got) != 1 || got[0] != parked {
		w.Errorf("offered are %v, want the parked parent", got)
	}
}

func cancelledChildPokes(w *world) {
	k := w.join()
	parent := k.has()
	child := w.submit(childOf(parent))
	w.stores(releases(w.next(parent, k.id), tasker.TaskWaiting, -1))
	w.stores(pokes(finishes(w.next(child, nobody), tasker.TaskCancelled)))
	if !w.isOffered(parent) {
		w.Error("the parent is not offered")
	}
}

func restingChild(w *world) {
	k := w.join()
	parent := k.has()
	child := k.has(childOf(parent))
	w.stores(releases(w.next(parent, k.id), tasker.TaskWaiting, -1))
	w.stores(releases(w.next(child, k.id), tasker.TaskWaiting, -1))
	if row := w.row(parent); row.Poke != 0 || w.isOffered(parent) {
		w.Errorf("the parent is %+v", row)
	}
}

func childrenPoke(w *world) {
	k := w.join()
	owned, parked := k.has(), k.has()
	w.stores(releases(w.next(parked, k.id), tasker.TaskWaiting, -1))
	var call []tasker.Append
	for range 5 {
		for _, parent := range []tasker.ID{owned, parked} {
			call = append(call, finishes(w.next(k.has(childOf(parent)), k.id), tasker.TaskComplete))
		}
	}
	w.appendAll(call...)
	if k.owned()[owned] == 0 || w.row(parked).Poke == 0 || !w.isOffered(parked) {
		w.Errorf("the pokes are %d and %d, the parked one is offered: %v", k.owned()[owned], w.row(parked).Poke, w.isOffered(parked))
	}
}

// awake wants a task that was poked as it went to rest: it is offered, or its
// owner is told.
func (w *world) awake(k worker, task tasker.ID, read int64) {
	w.Helper()
	row := w.row(task)
	poke, owned := k.owned()[task]
	if row.Poke <= read {
		w.Fatalf("the poke is %d and was %d", row.Poke, read)
	}
	if owned && poke <= read || !owned && !w.isOffered(task) {
		w.Fatalf("nobody is told: the row is %+v, owned %v with poke %d", row, owned, poke)
	}
}

func childEndsAsParentRests(w *world) {
	k := w.join()
	for _, childFirst := range []bool{true, false} {
		for _, wait := range []time.Duration{-1, time.Hour} {
			parent := k.has()
			child := k.has(childOf(parent))
			call := []tasker.Append{releases(w.next(parent, k.id), tasker.TaskWaiting, wait), finishes(w.next(child, k.id), tasker.TaskComplete)}
			read := call[0].IfPoke
			if childFirst {
				call[0], call[1] = call[1], call[0]
			}
			w.appendAll(call...)
			w.awake(k, parent, read)
		}
	}
}

func childEndsAsParentGoesOn(w *world) {
	k := w.join()
	for _, change := range []tasker.RowChange{tasker.KeepRow, tasker.OwnRow} {
		parent := k.has()
		child := k.has(childOf(parent))
		a := w.next(parent, k.id)
		a.Change = change
		w.appendAll(a, finishes(w.next(child, k.id), tasker.TaskComplete))
		w.awake(k, parent, a.IfPoke)
		if n := len(w.load(parent).Records); n != 3 {
			w.Errorf("the parent has %d records, want 3", n)
		}
	}
}

func childRacesParent(w *world) {
	for range 30 {
		k := w.join()
		parent := k.has()
		child := k.has(childOf(parent))
		rest, end := releases(w.next(parent, k.id), tasker.TaskWaiting, -1), finishes(w.next(child, k.id), tasker.TaskComplete)
		together(2, func(i int) {
			w.surely(func() error {
				_, err := w.Append(w.Context(), []tasker.Append{[]tasker.Append{rest, end}[i]})
				return err
			})
		})
		w.awake(k, parent, rest.IfPoke)
	}
}

func operatorRacesOwner(w *world) {
	for range 30 {
		k := w.join()
		task := k.has()
		rest, poke := silent(releases(w.next(task, k.id), tasker.TaskWaiting, -1)), pokes(silent(w.next(task, nobody)))
		together(2, func(i int) {
			w.surely(func() error {
				_, err := w.Append(w.Context(), []tasker.Append{[]tasker.Append{rest, poke}[i]})
				return err
			})
		})
		w.awake(k, task, rest.IfPoke)
	}
}
