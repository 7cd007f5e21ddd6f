package storetest

import (
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var releasing = chapter{"release", []promise{
	{"a released task has no owner, and the state that was given", releaseIsStored},
	{"a task that waits for a time is offered then, not before", wakesInTime},
	{"a task released for now is offered at once", wakesNow},
	{"a task released without a time never wakes by itself", neverWakes},
	{"a worker may claim and release in one append", claimAndRelease},
	{"the next wake is the earliest of the tasks that one may take", nextWake},
	{"a task that is claimed while it sleeps is not waited for", claimedSleeper},
	{"the last release decides when a task wakes", lastReleaseDecides},
	{"a task that sleeps may be claimed by whoever knows it", claimsSleeper},
}}

func releaseIsStored(w *world) {
	k := w.join()
	for _, state := range []tasker.TaskState{tasker.TaskPending, tasker.TaskInProgress, tasker.TaskWaitingForRetry, tasker.TaskWaiting, tasker.TaskBlocked} {
		task := k.has()
		answer := w.stores(releases(w.next(task, k.id), state, time.Hour))
		log := w.load(task)
		if !answer.Released || len(log.Records) != 3 {
			w.Errorf("released: %v, with %d records", answer.Released, len(log.Records))
		}
		if row := log.Row; row.State != state || row.Owner != nobody || !row.WakeAt.Equal(answer.At.Add(time.Hour)) || !row.FinishedAt.IsZero() {
			w.Errorf("released as %s at %v the row is %+v", state, answer.At, row)
		}
		if _, owned := k.owned()[task]; owned {
			w.Error("the worker is told that it owns a task that it has released")
		}
	}
}

// wakesAt wants a task offered once the store's clock says so, not before,
// and told about meanwhile.
func (w *world) wakesAt(task tasker.ID, at time.Time) {
	w.Helper()
	w.eventually("the task wakes", func() bool {
		found := w.offers(w.any(100))
		offered := slices.Contains(tasksOf(found), task)
		switch early := found.Now.Before(at); {
		case early && offered:
			w.Fatalf("the task is offered %v too early", at.Sub(found.Now))
		case early && !found.NextWake.Equal(at):
			w.Fatalf("the next wake is said to be at %v, want %v", found.NextWake, at)
		case !early && !offered:
			w.Fatalf("the task is not offered %v after its time", found.Now.Sub(at))
		}
		return offered
	})
}

func wakesInTime(w *world) {
	k := w.join()
	task := k.has()
	answer := w.stores(releases(w.next(task, k.id), tasker.TaskWaitingForRetry, 150*time.Millisecond))
	w.wakesAt(task, answer.At.Add(150*time.Millisecond))
	if state := w.row(task).State; state != tasker.TaskWaitingForRetry {
		w.Errorf("the task is %s when it wakes", state)
	}
	k.claims(task)
}

func wakesNow(w *world) {
	k := w.join()
	task := k.has()
	w.stores(releases(w.next(task, k.id), tasker.TaskInProgress, 0))
	if !w.isOffered(task) {
		w.Error("the task is not offered")
	}
}

func neverWakes(w *world) {
	k := w.join()
	task := k.has()
	w.stores(releases(w.next(task, k.id), tasker.TaskWaiting, -1))
	if row := w.row(task); !row.WakeAt.IsZero() {
		w.Errorf("the task wakes at %v", row.WakeAt)
	}
	w.join() // nor by a look for the dead
	if found := w.offers(w.any(10)); len(found.Logs) > 0 || !found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, the next at %v", len(found.Logs), found.NextWake)
	}
}

func claimAndRelease(w *world) {
	k := w.join()
	loud, quiet := w.submit(), w.submit()
	for task, a := range map[tasker.ID]tasker.Append{
		loud:  releases(w.next(loud, k.id), tasker.TaskBlocked, -1),
		quiet: silent(releases(w.next(quiet, k.id), tasker.TaskBlocked, -1)),
	} {
		if answer := w.stores(a); !answer.Released {
			w.Error("the release is refused")
		}
		if row := w.row(task); row.State != tasker.TaskBlocked || row.Owner != nobody {
			w.Errorf("the row is %+v", row)
		}
	}
	if got := w.offered(); len(got) > 0 {
		w.Errorf("offered are %v", got)
	}
}

func nextWake(w *world) {
	w.save(text("other", "order", "1.0.0", ""))
	k := w.join()
	var first time.Time
	for _, wait := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
		task := k.has(tagged("mine"))
		answer := w.stores(releases(w.next(task, k.id), tasker.TaskWaitingForRetry, wait))
		if wait == time.Hour {
			first = answer.At.Add(wait)
		}
	}
	for _, foreign := range []tasker.ID{k.has(tagged("other")), k.has(tagged("mine"), of(w.texts[1]))} {
		w.stores(releases(w.next(foreign, k.id), tasker.TaskWaitingForRetry, time.Minute))
	}
	q := w.any(10)
	q.Tag, q.Templates = "mine", q.Templates[:1]
	if found := w.offers(q); !found.NextWake.Equal(first) || len(found.Logs) > 0 {
		w.Errorf("the next wake is at %v, want %v; %d tasks are offered", found.NextWake, first, len(found.Logs))
	}
	q.Tag = "nobody's"
	if found := w.offers(q); !found.NextWake.IsZero() {
		w.Errorf("where no task waits the next wake is at %v", found.NextWake)
	}
}

func claimedSleeper(w *world) {
	k := w.join()
	owned, ended := k.has(), k.has()
	for _, task := range []tasker.ID{owned, ended} {
		w.stores(releases(w.next(task, k.id), tasker.TaskWaitingForRetry, time.Hour))
	}
	k.claims(owned)
	w.stores(finishes(w.next(ended, nobody), tasker.TaskCancelled))
	if found := w.offers(w.any(10)); !found.NextWake.IsZero() || len(found.Logs) > 0 {
		w.Errorf("the next wake is at %v, and %d tasks are offered", found.NextWake, len(found.Logs))
	}
}

func lastReleaseDecides(w *world) {
	k := w.join()
	sooner, later, never := k.has(), k.has(), k.has()
	for task, wait := range map[tasker.ID]time.Duration{sooner: time.Hour, later: 20 * time.Millisecond, never: 20 * time.Millisecond} {
		w.stores(releases(w.next(task, k.id), tasker.TaskWaitingForRetry, wait))
		k.claims(task)
	}
	w.stores(releases(w.next(later, k.id), tasker.TaskWaitingForRetry, time.Hour))
	w.stores(releases(w.next(never, k.id), tasker.TaskWaiting, -1))
	answer := w.stores(releases(w.next(sooner, k.id), tasker.TaskWaitingForRetry, 100*time.Millisecond))
	w.wakesAt(sooner, answer.At.Add(100*time.Millisecond))
	if got := w.offered(); len(got) != 1 {
		w.Errorf("%d tasks are offered, want one", len(got))
	}
}

func claimsSleeper(w *world) {
	k := w.join()
	task := k.has()
	w.stores(releases(w.next(task, k.id), tasker.TaskWaitingForRetry, time.Hour))
	k.claims(task) // the claim asks for the position and the owner, not for the time
	if row := w.row(task); row.Owner != k.id || row.State != tasker.TaskInProgress {
		w.Errorf("the row is %+v", row)
	}
}
