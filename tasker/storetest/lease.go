package storetest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var leases = chapter{"lease", []promise{
	{"once a lease has run out and another worker beats, its tasks are offered, not before", takeover},
	{"a worker that leaves frees its tasks at once", leaving},
	{"a beat renews the lease", beatRenews},
	{"a first beat that is sent again is taken for the first", firstBeatAgain},
	{"a late beat finds the worker dead", lateBeat},
	{"a beat after leaving finds the worker dead", beatAfterLeaving},
	{"a dead worker cannot begin anew under its id", noSecondLife},
	{"a beat of a worker that never was is refused", beatOfNobody},
	{"leaving twice, or without having been there, does no harm", leavingTwice},
	{"one worker's death frees only its own tasks", deathOfOne},
	{"a task given away before its worker's death stays where it is", givenAwayBefore},
	{"what a dead worker sends late gives it nothing", lateAppends},
	{"a claim that races with its worker's burial leaves no task with the dead", claimAgainstBurial},
}}

func takeover(w *world) {
	k, other := w.join(), w.join()
	task := k.has()
	w.stores(pokes(w.next(task, nobody)))
	before := w.load(task)
	const lease = 150 * time.Millisecond
	until := w.clock().Add(lease) // at the earliest
	if _, err := w.Beat(w.Context(), tasker.Beat{Worker: k.id, Lease: lease}); err != nil {
		w.Fatal(err)
	}
	w.eventually("the task is offered", func() bool {
		other.beat()
		claim := owns(w.next(task, other.id))
		found := w.offers(w.any(10))
		if found.Now.Before(until) && len(found.Logs) > 0 {
			w.Fatalf("the task is offered %v before the lease is over", until.Sub(found.Now))
		}
		if len(found.Logs) == 0 && w.append(claim).Stored && w.clock().Before(until) {
			w.Fatal("the task was claimed before the lease is over")
		}
		return len(found.Logs) > 0 || w.row(task).Owner == other.id
	})
	row := w.row(task)
	if row.Poke != before.Row.Poke || row.State != before.Row.State {
		w.Errorf("the row was %+v and is %+v", before.Row, row)
	}
	if row.Owner != other.id {
		if got := w.offers(w.any(1)).Logs[0]; len(got.Records) != len(before.Records) {
			w.Errorf("the task is offered with %d records of %d", len(got.Records), len(before.Records))
		}
		other.claims(task)
	}
	if owner := w.row(task).Owner; owner != other.id || !k.isDead() {
		w.Errorf("the owner is %v", owner)
	}
}

func leaving(w *world) {
	k, other := w.join(), w.join()
	task := k.has()
	w.stores(pokes(w.next(task, nobody)))
	before := w.row(task)
	if err := w.Leave(w.Context(), k.id); err != nil {
		w.Fatal(err)
	}
	if row := w.row(task); row.Poke != before.Poke || row.State != before.State {
		w.Errorf("the row was %+v and is %+v", before, row)
	}
	if !w.isOffered(task) {
		w.Fatal("the task is not offered")
	}
	other.claims(task)
	if _, owned := other.owned()[task]; !owned {
		w.Error("the new owner is not told")
	}
}

func beatRenews(w *world) {
	for lease := 200 * time.Millisecond; ; lease *= 2 {
		k := w.joinFor(lease)
		until := w.clock().Add(lease)
		if k.isDead() { // we were slow; give us more time
			continue
		}
		task := k.has()
		w.eventually("the first lease is over", func() bool { return w.clock().After(until) })
		w.join()
		if w.isOffered(task) || k.isDead() {
			w.Error("the worker has beaten, and is dead when its first lease is over")
		}
		return
	}
}

func firstBeatAgain(w *world) {
	k := w.join()
	task := k.has()
	pulse, err := w.Beat(w.Context(), tasker.Beat{Worker: k.id, Lease: long, First: true})
	if err != nil {
		w.Fatal(err)
	}
	if len(pulse.Owned) != 1 || pulse.Owned[0].Task != task {
		w.Errorf("the beat tells %v", pulse.Owned)
	}
}

func lateBeat(w *world) {
	k := w.join()
	k.has()
	k.fades()
	for range 3 { // and stays dead
		if !k.isDead() {
			w.Fatal("a beat after the lease is taken")
		}
	}
}

func beatAfterLeaving(w *world) {
	k := w.join()
	k.has()
	if err := w.Leave(w.Context(), k.id); err != nil {
		w.Fatal(err)
	}
	if !k.isDead() {
		w.Error("a beat after leaving is taken")
	}
}

func noSecondLife(w *world) {
	faded, left := w.join(), w.join()
	faded.dies()
	if err := w.Leave(w.Context(), left.id); err != nil {
		w.Fatal(err)
	}
	for _, k := range []worker{faded, left} {
		if _, err := w.Beat(w.Context(), tasker.Beat{Worker: k.id, Lease: long, First: true}); !errors.Is(err, tasker.ErrWorkerDead) {
			w.Errorf("the first beat of a dead worker's new life gives %v", err)
		}
		w.cannotClaim(k)
	}
}

func beatOfNobody(w *world) {
	if !(worker{w, w.id()}).isDead() {
		w.Error("a worker that never was may beat")
	}
}

func leavingTwice(w *world) {
	k := w.join()
	for _, id := range []tasker.ID{k.id, k.id, w.id()} {
		if err := w.Leave(w.Context(), id); err != nil {
			w.Errorf("leaving gives %v", err)
		}
	}
}

func deathOfOne(w *world) {
	one, two := w.join(), w.join()
	ofOne, ofTwo := one.has(), two.has()
	one.dies()
	if got := w.offered(); len(got) != 1 || got[0] != ofOne {
		w.Errorf("offered are %v, want only that of the dead", got)
	}
	two.claims(ofOne)
	w.join() // the dead are looked for once more
	if owned := two.owned(); len(owned) != 2 {
		w.Errorf("the living worker owns %d tasks, want 2", len(owned))
	}
	w.stores(w.next(ofTwo, two.id))
}

func givenAwayBefore(w *world) {
	k := w.join()
	parked, slept, ended := k.has(), k.has(), k.has()
	w.stores(releases(w.next(parked, k.id), tasker.TaskWaiting, -1))
	w.stores(releases(w.next(slept, k.id), tasker.TaskWaitingForRetry, long))
	w.stores(finishes(w.next(ended, k.id), tasker.TaskComplete))
	k.has()
	before := []tasker.Log{w.load(parked), w.load(slept), w.load(ended)}
	k.dies()
	for _, log := range before {
		w.same(log, w.load(log.Row.ID), "the death of a former owner")
	}
	if got := w.offered(); len(got) != 1 {
		w.Errorf("%d tasks are offered, want the one that the dead still owned", len(got))
	}
}

func lateAppends(w *world) {
	k := w.join()
	for _, late := range []func(tasker.ID) tasker.Append{
		func(task tasker.ID) tasker.Append { return w.next(task, k.id) },
		func(task tasker.ID) tasker.Append { return owns(w.next(task, k.id)) },
		func(task tasker.ID) tasker.Append { // its poke is behind
			a := releases(w.next(task, k.id), tasker.TaskWaiting, -1)
			a.IfPoke--
			return a
		},
	} {
		k = w.join()
		task := k.has()
		w.stores(pokes(w.next(task, nobody)))
		a := late(task)
		k.dies()
		answer := w.append(a)
		log := w.load(task)
		if stored := len(log.Records) == 4; answer.Stored != stored {
			w.Errorf("stored %v by the answer, the log has %d records", answer.Stored, len(log.Records))
		}
		if log.Row.Owner == k.id || !w.isOffered(task) {
			w.Errorf("the row is %+v, offered: %v", log.Row, w.isOffered(task))
		}
		w.join().claims(task)
	}
}

// claimAgainstBurial lets a worker claim all the while its lease runs out and
// others look for the dead. A claim that is stored after the burial has looked
// would leave a task with an owner that nobody ever buries again.
func claimAgainstBurial(w *world) {
	const rounds, tasks = 15, 20
	var ids []tasker.ID
	for range tasks {
		ids = append(ids, w.submit())
	}
	for range rounds {
		k := w.join()
		var claims []tasker.Append
		for _, task := range ids {
			claims = append(claims, owns(w.next(task, k.id)))
		}
		var all sync.WaitGroup
		var dead atomic.Bool
		for half := range 2 {
			all.Go(func() {
				for i := half * tasks / 2; i < (half+1)*tasks/2; i++ {
					_, _ = w.Append(w.Context(), claims[i:i+1]) // refused in the end
				}
			})
		}
		lease := time.Duration(rand.Int64N(int64(10 * time.Millisecond)))
		_, _ = w.Beat(w.Context(), tasker.Beat{Worker: k.id, Lease: lease}) // dead already is as well
		all.Go(func() {
			for !dead.Load() {
				_, _ = w.Beat(w.Context(), tasker.Beat{Worker: w.id(), Lease: time.Millisecond, First: true})
			}
		})
		w.eventually("the worker is dead", func() bool {
			_, err := w.Beat(w.Context(), tasker.Beat{Worker: k.id, Lease: 0})
			return errors.Is(err, tasker.ErrWorkerDead)
		})
		dead.Store(true)
		all.Wait()
		w.join() // the last look for the dead
		if got := w.offered(); !equal(got, ids) {
			w.Fatalf("after the worker's death %d tasks of %d can be claimed", len(got), tasks)
		}
		for _, task := range ids {
			if owner := w.row(task).Owner; owner != nobody {
				w.Fatalf("a task is owned by %v, which is dead: %v", owner, owner == k.id)
			}
		}
	}
}
