package storetest

import (
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var awaiting = chapter{"await", []promise{
	{"a task that awaits another is woken by a beat once that has ended, not before", awaitedEnds},
	{"a child's end that is awaited wakes at once", awaitedChild},
	{"what had ended before, or never was, wakes too", awaitedEndedBefore},
	{"of many that are awaited the first end wakes, and once", firstOfMany},
	{"what sleeps until a time is woken by an end before", awaitsAsleep},
	{"a task awaits until somebody claims it, or it has ended", awaitsUntilClaimed},
	{"a release that is too late for its poke awaits nothing", awaitsTooLate},
	{"steering to wait on lets a task await on", steeredAwaits},
	{"an end while the task goes to rest is not missed", endRacesAwait},
	{"many that await are all woken", manyAwait},
}}

// awaits is a release that waits for the end of others.
func awaits(a tasker.Append, tasks ...tasker.ID) tasker.Append {
	a.Awaits = tasks
	return a
}

// waitsFor is a task that was released to wait for the end of others.
func (k worker) waitsFor(tasks ...tasker.ID) tasker.ID {
	k.Helper()
	task := k.has()
	k.stores(awaits(releases(k.next(task, k.id), tasker.TaskWaiting, -1), tasks...))
	return task
}

func (k worker) ends(task tasker.ID, as tasker.TaskState) {
	k.Helper()
	k.stores(finishes(k.next(task, k.id), as))
}

func awaitedEnds(w *world) {
	k, other := w.join(), w.join()
	for _, state := range finals {
		awaited := k.has()
		task := k.waitsFor(awaited)
		before := w.load(task)
		other.beat()
		w.same(before, w.load(task), "a beat while the awaited task goes on")
		w.stores(releases(w.next(awaited, k.id), tasker.TaskBlocked, -1))
		other.beat()
		w.same(before, w.load(task), "a rest of the awaited task")
		w.stores(finishes(w.next(awaited, nobody), state))
		other.beat()
		row := w.row(task)
		if row.Poke != before.Row.Poke+1 || row.State != before.Row.State || row.Owner != nobody {
			w.Errorf("%s: the row was %+v and is %+v", state, before.Row, row)
		}
		if !w.isOffered(task) {
			w.Errorf("%s: the task is not offered", state)
		}
		other.beat()
		if again := w.row(task); again.Poke != row.Poke {
			w.Errorf("%s: the next beat has poked once more", state)
		}
		k.claims(task)
	}
}

func awaitedChild(w *world) {
	k := w.join()
	parent := k.has()
	child := k.has(childOf(parent))
	w.stores(awaits(releases(w.next(parent, k.id), tasker.TaskWaiting, -1), child))
	k.ends(child, tasker.TaskError)
	if !w.isOffered(parent) {
		w.Error("the parent is not offered")
	}
	k.claims(parent)
	read := w.row(parent).Poke
	k.beat()
	if again := w.row(parent).Poke; again != read {
		w.Error("a beat has poked the parent that was claimed since")
	}
	// What the child's own poke has missed, by whatever cause, a beat finds.
	w.stores(awaits(releases(w.next(parent, k.id), tasker.TaskWaiting, -1), child))
	k.beat()
	if !w.isOffered(parent) {
		w.Error("the parent of a child that had ended is not offered")
	}
}

func awaitedEndedBefore(w *world) {
	k := w.join()
	ended := k.has()
	k.ends(ended, tasker.TaskComplete)
	for what, awaited := range map[string]tasker.ID{"has ended": ended, "never was": w.id()} {
		task := k.waitsFor(awaited)
		k.beat()
		if !w.isOffered(task) || w.row(task).Poke != 1 {
			w.Errorf("the awaited task %s; offered: %v, with poke %d", what, w.isOffered(task), w.row(task).Poke)
		}
	}
}

func firstOfMany(w *world) {
	k := w.join()
	first, second, third := k.has(), k.has(), k.has()
	task := k.waitsFor(first, second, third)
	k.ends(second, tasker.TaskComplete)
	k.beat()
	if row := w.row(task); row.Poke != 1 || !w.isOffered(task) {
		w.Fatalf("the row is %+v", row)
	}
	k.ends(first, tasker.TaskComplete)
	k.beat()
	if row := w.row(task); row.Poke != 1 {
		w.Errorf("the second end has poked as well: the row is %+v", row)
	}
}

func awaitsAsleep(w *world) {
	k := w.join()
	task, awaited := k.has(), k.has()
	w.stores(awaits(releases(w.next(task, k.id), tasker.TaskWaiting, time.Hour), awaited))
	if found := w.offers(w.any(10)); len(found.Logs) > 0 || found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, the next at %v", len(found.Logs), found.NextWake)
	}
	k.ends(awaited, tasker.TaskComplete)
	k.beat()
	if found := w.offers(w.any(10)); len(found.Logs) != 1 || !found.NextWake.IsZero() {
		w.Errorf("%d tasks are offered, the next at %v", len(found.Logs), found.NextWake)
	}
}

func awaitsUntilClaimed(w *world) {
	k := w.join()
	awaited := k.has()
	owned, silently, released, ended := k.waitsFor(awaited), k.waitsFor(awaited), k.waitsFor(awaited), k.waitsFor(awaited)
	k.claims(owned)
	w.stores(silent(owns(w.next(silently, k.id))))
	w.stores(releases(w.next(released, k.id), tasker.TaskWaiting, -1)) // claims and releases in one
	w.stores(finishes(w.next(ended, nobody), tasker.TaskCancelled))
	var before []tasker.Log
	for _, task := range []tasker.ID{owned, silently, released, ended} {
		before = append(before, w.load(task))
	}
	k.ends(awaited, tasker.TaskComplete)
	k.beat()
	for _, log := range before {
		w.same(log, w.load(log.Row.ID), "the end of what was awaited before")
	}
	if got := w.offered(); len(got) > 0 {
		w.Errorf("offered are %v", got)
	}
}

func awaitsTooLate(w *world) {
	k := w.join()
	awaited, task := k.has(), k.has()
	late := awaits(releases(w.next(task, k.id), tasker.TaskWaiting, -1), awaited)
	w.stores(pokes(silent(w.next(task, nobody))))
	if w.stores(late).Released {
		w.Fatal("the release is done")
	}
	before := w.load(task)
	k.ends(awaited, tasker.TaskComplete)
	k.beat()
	w.same(before, w.load(task), "the end of what the owner wanted to await")
}

func steeredAwaits(w *world) {
	k := w.join()
	awaited := k.has()
	task := k.waitsFor(awaited)
	w.stores(steers(w.next(task, nobody), tasker.TaskWaiting, -1))
	k.beat()
	if w.isOffered(task) {
		w.Error("the task is offered before")
	}
	k.ends(awaited, tasker.TaskComplete)
	k.beat()
	if !w.isOffered(task) {
		w.Error("the task is not offered")
	}
}

func endRacesAwait(w *world) {
	k := w.join()
	for range 40 {
		task, awaited := k.has(), k.has()
		rest := awaits(releases(w.next(task, k.id), tasker.TaskWaiting, -1), awaited)
		w.bothAtOnce(rest, finishes(w.next(awaited, k.id), tasker.TaskComplete))
		k.beat()
		w.awake(k, task, rest.IfPoke)
	}
}

// manyAwait has more tasks than a beat may look at, the older ones of which
// must go on waiting.
func manyAwait(w *world) {
	const n = 600
	k := w.join()
	open, awaited := k.has(), k.has()
	tasks := make([]tasker.NewTask, 2*n)
	appends := make([]tasker.Append, len(tasks))
	for i := range tasks {
		tasks[i] = w.task()
		appends[i] = awaits(releases(tasker.Append{Task: tasks[i].Row.ID, After: 1, Record: w.record(k.id)}, tasker.TaskWaiting, -1), open)
		if i >= n {
			appends[i].Awaits[0] = awaited
		}
	}
	w.submitAll(tasks...)
	for i := 0; i < len(appends); i += 200 {
		w.appendAll(appends[i : i+200]...)
	}
	k.beat()
	k.ends(awaited, tasker.TaskComplete)
	woken := 0
	w.eventually("all are woken", func() bool {
		k.beat()
		woken = len(w.offered())
		return woken >= n
	})
	for i := range 5 {
		k.beat()
		if got := len(w.offered()); got != n {
			w.Fatalf("after %d more beats %d tasks are offered, want %d", i, got, n)
		}
	}
}
