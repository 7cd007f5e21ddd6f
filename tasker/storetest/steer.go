package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tasker-systems/tasker-go/tasker"
)

var steering = chapter{"steer", []promise{
	{"steering sets the state of a task that nobody owns, and when it wants work", steerUnowned},
	{"a task that slept or wanted work is not offered once it is steered to wait", steerToWait},
	{"steering a task that is owned pokes it, and leaves the rest to its owner", steerOwned},
	{"steering leaves the task of a worker that has died unnoticed to its next owner", steerOfTheDead},
	{"steering that is sent again pokes once", steerAgain},
	{"steering at a taken position is refused", steerTooLate},
	{"of steering and a claim at once, both are kept or one is refused", steerRacesClaim},
	{"steering while the owner goes to rest is told, or has the last word", steerRacesRelease},
	{"of operators that steer at once one is stored", steerAtOnce},
}}

// steers is what an operator appends to a task that goes on.
func steers(a tasker.Append, as tasker.TaskState, wakeIn time.Duration) tasker.Append {
	a.Change, a.State, a.WakeIn, a.Poke = tasker.SteerRow, as, wakeIn, true
	return a
}

// parked is a task that waits for a poke.
func (k worker) parked(changes ...func(*tasker.Row)) tasker.ID {
	k.Helper()
	task := k.has(changes...)
	k.stores(releases(k.next(task, k.id), tasker.TaskWaiting, -1))
	return task
}

func steerUnowned(w *world) {
	k := w.join()
	for _, wait := range []time.Duration{-1, 0, time.Hour} {
		for _, state := range []tasker.TaskState{tasker.TaskPending, tasker.TaskInProgress, tasker.TaskWaitingForRetry, tasker.TaskWaiting, tasker.TaskBlocked} {
			for _, task := range []tasker.ID{w.submit(), k.parked()} {
				before := w.load(task)
				a := steers(w.next(task, nobody), state, wait)
				answer := w.stores(a)
				after := w.load(task)
				want := before.Row
				want.State, want.Poke, want.WakeAt = state, before.Row.Poke+1, time.Time{}
				if wait >= 0 {
					want.WakeAt = answer.At.Add(wait)
				}
				if diff := cmp.Diff(want, after.Row, cmpopts.EquateApproxTime(0)); diff != "" {
					w.Errorf("steered to %s in %v the row is another:\n%s", state, wait, diff)
				}
				if n := len(after.Records); n != len(before.Records)+1 || after.Records[n-1].ID != a.Record.ID {
					w.Errorf("the log is %v", idsOf(after.Records))
				}
				if offered := w.isOffered(task); offered != (wait == 0) {
					w.Errorf("steered to %s in %v the task is offered: %v", state, wait, offered)
				}
				k.claims(task)
			}
		}
	}
}

func steerToWait(w *world) {
	k := w.join()
	slept, poked, freed := k.has(), k.parked(), w.join()
	w.stores(releases(w.next(slept, k.id), tasker.TaskWaitingForRetry, time.Hour))
	w.stores(pokes(silent(w.next(poked, nobody))))
	dead := freed.has()
	freed.dies()
	for _, task := range []tasker.ID{slept, poked, dead, w.submit()} {
		w.stores(steers(w.next(task, nobody), tasker.TaskBlocked, -1))
	}
	w.join() // nor does a beat wake them
	if found := w.offers(w.any(10)); len(found.Logs) > 0 || !found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, the next at %v", len(found.Logs), found.NextWake)
	}
	for _, task := range []tasker.ID{slept, poked, dead} { // and a poke still does
		w.stores(pokes(silent(w.next(task, nobody))))
		if !w.isOffered(task) {
			w.Error("a task that is poked again is not offered")
		}
	}
}

func steerOwned(w *world) {
	k := w.join()
	for _, wait := range []time.Duration{-1, 0, time.Hour} {
		task := k.has()
		before := w.load(task)
		rest := silent(releases(w.next(task, k.id), tasker.TaskWaiting, -1))
		w.stores(steers(w.next(task, nobody), tasker.TaskBlocked, wait))
		after := w.load(task)
		if after.Row.Poke != before.Row.Poke+1 || len(after.Records) != len(before.Records)+1 {
			w.Errorf("the poke was %d and is %d, with %d records", before.Row.Poke, after.Row.Poke, len(after.Records))
		}
		w.keeps(k, task)
		rest.After++ // the owner has not read what came with it
		if w.stores(rest).Released {
			w.Error("the owner goes to rest, and does not know of the operator")
		}
		w.stores(w.next(task, k.id))
	}
}

func steerOfTheDead(w *world) {
	k := w.join()
	task := k.has()
	k.fades()
	before := w.row(task)
	w.stores(steers(w.next(task, nobody), tasker.TaskBlocked, -1))
	row := w.row(task)
	if want := before.Poke + 1; row.Poke != want || row.Owner != k.id || row.State != before.State {
		w.Errorf("the row was %+v and is %+v", before, row)
	}
	other := w.join() // and buries the dead
	if !w.isOffered(task) {
		w.Fatal("nobody takes over from the dead")
	}
	other.claims(task)
}

func steerAgain(w *world) {
	k := w.join()
	for _, task := range []tasker.ID{w.submit(), k.parked(), k.has()} {
		w.again(steers(w.next(task, nobody), tasker.TaskWaiting, time.Hour))
	}
	task := k.parked()
	a := steers(w.next(task, nobody), tasker.TaskBlocked, 0)
	w.stores(a)
	k.claims(task)
	w.stores(releases(w.next(task, k.id), tasker.TaskWaiting, -1))
	before := w.load(task)
	w.append(a)
	w.same(before, w.load(task), "sending again how the task was steered long ago")
}

func steerTooLate(w *world) {
	k := w.join()
	for _, task := range []tasker.ID{w.submit(), k.parked(), k.has()} {
		a := steers(w.next(task, nobody), tasker.TaskBlocked, 0)
		w.stores(w.next(task, nobody))
		w.refuses(a, "steering that comes too late")
		w.refuses(silent(a), "steering without a record that comes too late")
	}
}

// bothAtOnce makes appends at the same time and says which are stored. One
// that an error leaves open is made again, as the engine does.
func (w *world) bothAtOnce(appends ...tasker.Append) (stored []bool) {
	stored = make([]bool, len(appends))
	together(len(appends), func(i int) {
		w.surely(func() error {
			answers, err := w.Append(w.Context(), appends[i:i+1])
			stored[i] = err == nil && answers[0].Stored
			return err
		})
	})
	return stored
}

func steerRacesClaim(w *world) {
	k := w.join()
	for i := range 40 {
		task := k.parked()
		before := w.load(task)
		claim, steer := owns(w.next(task, k.id)), steers(w.next(task, nobody), tasker.TaskBlocked, -1)
		if i%2 == 0 {
			claim = silent(claim)
		}
		stored := w.bothAtOnce(claim, steer)
		log := w.load(task)
		steered := len(log.Records) > len(before.Records) && log.Records[len(before.Records)].ID == steer.Record.ID
		claimed := log.Row.Owner == k.id
		if !steered && !claimed || i%2 == 1 && steered && claimed {
			w.Fatalf("claimed: %v, steered: %v", claimed, steered)
		}
		want := before.Row
		if steered {
			want.Poke++
			want.State = tasker.TaskBlocked
		}
		if claimed {
			want.Owner, want.State = k.id, tasker.TaskInProgress
		}
		if diff := cmp.Diff(want, log.Row); diff != "" {
			w.Fatalf("claimed: %v, steered: %v, by their answers %v; the row is another:\n%s", claimed, steered, stored, diff)
		}
		if w.isOffered(task) {
			w.Fatal("the task is offered")
		}
	}
}

func steerRacesRelease(w *world) {
	k := w.join()
	for i := range 40 {
		task := k.has()
		before := w.load(task)
		rest, steer := releases(w.next(task, k.id), tasker.TaskWaiting, 0), steers(w.next(task, nobody), tasker.TaskBlocked, -1)
		if i%2 == 0 {
			rest = silent(rest)
		}
		stored := w.bothAtOnce(rest, steer)
		log := w.load(task)
		steered := len(log.Records) > len(before.Records) && log.Records[len(before.Records)].ID == steer.Record.ID
		switch owned := log.Row.Owner == k.id; {
		case steered != (log.Row.Poke == before.Row.Poke+1):
			w.Fatalf("steered: %v, by their answers %v; the poke was %d and is %d", steered, stored, before.Row.Poke, log.Row.Poke)
		case steered && owned:
			w.keeps(k, task) // and the beat tells it
		case steered && (log.Row.State != tasker.TaskBlocked || w.isOffered(task)):
			w.Fatalf("the owner has overruled the operator: the row is %+v, offered: %v", log.Row, w.isOffered(task))
		case !steered && (owned || log.Row.State != tasker.TaskWaiting || !w.isOffered(task)):
			w.Fatalf("the operator was refused, and the row is %+v", log.Row)
		}
		w.stores(finishes(w.next(task, nobody), tasker.TaskCancelled)) // makes room for the next
	}
}

func steerAtOnce(w *world) {
	k := w.join()
	for range 10 {
		task := k.parked()
		before := w.load(task)
		var all []tasker.Append
		for range 8 {
			all = append(all, steers(w.next(task, nobody), tasker.TaskBlocked, time.Hour))
		}
		w.bothAtOnce(all...)
		if log := w.load(task); len(log.Records) != len(before.Records)+1 || log.Row.Poke != before.Row.Poke+1 {
			w.Fatalf("%d are stored, and the poke went from %d to %d", len(log.Records)-len(before.Records), before.Row.Poke, log.Row.Poke)
		}
	}
}
