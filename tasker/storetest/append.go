package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

var appending = chapter{"append", []promise{
	{"a record is stored at the position after the last one", recordIsStored},
	{"an append at a taken position, or beyond the end, is refused", wrongPositionIsRefused},
	{"a refused append leaves nothing behind", refusedLeavesNothing},
	{"in one call some appends are stored and others refused, answered in the order given", someAreStored},
	{"of many appends at one position exactly one is stored", oneOfManyIsStored},
	{"calls over the same tasks in different orders store one record at each position", callsCross},
	{"an append that is sent again is stored once", sentAgainIsStoredOnce},
	{"a claim that is sent again is stored once", claimSentAgain},
	{"an end that is sent again is stored once", endSentAgain},
	{"a call of which half was stored can be sent again", halfSentAgain},
	{"what is sent again after others have gone on changes nothing", sentAgainLate},
	{"an append without events changes the row and stores no record", silentAppend},
	{"an append without events is refused at a wrong position", silentAppendIsRefused},
	{"an append to an unknown task is refused, and the others of the call are stored", unknownTask},
	{"a call without appends does nothing", emptyCall},
	{"a call may hold 256 appends", largeCall},
	{"the time of a task's records never goes backwards", timeGoesForward},
}}

func recordIsStored(w *world) {
	k := w.join()
	task := k.has()
	a := w.next(task, k.id)
	answer := w.stores(a)
	log := w.load(task)
	if len(log.Records) != 3 {
		w.Fatalf("the log has %d records, want 3", len(log.Records))
	}
	for i, r := range log.Records {
		if r.Seq != int64(i+1) {
			w.Errorf("record %d has position %d", i+1, r.Seq)
		}
	}
	last := log.Records[2]
	if last.ID != a.Record.ID || last.Writer != k.id || !last.At.Equal(answer.At) {
		w.Errorf("the record is %v by %v at %v, want %v by %v at %v", last.ID, last.Writer, last.At, a.Record.ID, k.id, answer.At)
	}
	if last.At.After(log.Now) || last.At.IsZero() {
		w.Errorf("the record is of %v, and read at %v", last.At, log.Now)
	}
}

func wrongPositionIsRefused(w *world) {
	k := w.join()
	task := k.has()
	for _, after := range []int64{0, 1, 3, 4, 1000} {
		a := w.next(task, k.id)
		a.After = after
		w.refuses(a, fmt.Sprintf("a worker's record after %d of 2", after))
		a.Record = w.record(nobody)
		w.refuses(a, fmt.Sprintf("an operator's record after %d of 2", after))
	}
}

func refusedLeavesNothing(w *world) {
	parent := w.submit()
	task := w.submit(childOf(parent))
	k := w.join()
	w.stores(releases(w.next(parent, nobody), tasker.TaskWaiting, -1))
	k.claims(task)
	for _, a := range []tasker.Append{
		finishes(w.next(task, k.id), tasker.TaskComplete),
		releases(w.next(task, k.id), tasker.TaskWaiting, 0),
		pokes(w.next(task, nobody)),
		pokes(finishes(w.next(task, nobody), tasker.TaskCancelled)),
	} {
		before := w.load(parent)
		child := w.task(childOf(task), called("child"))
		a.After, a.Children = 1, []tasker.NewTask{child}
		w.refuses(a, "an append that comes too late")
		w.same(before, w.load(parent), "an append that comes too late")
		if w.exists(child.Row.ID) {
			w.Error("the child of a refused append is there")
		}
	}
	if got := w.submit(called("child")); w.row(got).Parent != nobody {
		w.Error("the child of a refused append has taken its identity")
	}
}

func someAreStored(w *world) {
	k := w.join()
	var tasks []tasker.ID
	for range 10 {
		tasks = append(tasks, k.has())
	}
	rand.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	appends := make([]tasker.Append, len(tasks))
	children := make([]tasker.NewTask, len(tasks))
	for i, task := range tasks {
		children[i] = w.task(childOf(task))
		appends[i] = finishes(w.next(task, k.id), tasker.TaskComplete)
		appends[i].Children = children[i : i+1]
		if i%3 == 1 { // read from behind these are others
			appends[i].After--
		}
	}
	answers := w.appendAll(appends...)
	for i, task := range tasks {
		stored := i%3 != 1
		log := w.load(task)
		if answers[i].Stored != stored || (len(log.Records) == 3) != stored {
			w.Errorf("append %d: stored %v by its answer, the log has %d records; want %v", i, answers[i].Stored, len(log.Records), stored)
		}
		if stored && !answers[i].At.Equal(log.Records[2].At) {
			w.Errorf("append %d has the time %v, its record %v", i, answers[i].At, log.Records[2].At)
		}
		if log.Row.State.Final() != stored || w.exists(children[i].Row.ID) != stored {
			w.Errorf("append %d: stored %v, the task is %s, its child is there: %v", i, stored, log.Row.State, w.exists(children[i].Row.ID))
		}
	}
}

func oneOfManyIsStored(w *world) {
	const writers, rounds = 16, 10
	k := w.join()
	task := k.has()
	for round := range rounds {
		appends := make([]tasker.Append, writers)
		for i := range appends {
			appends[i] = w.next(task, []tasker.ID{k.id, nobody}[i%2])
		}
		said := make([]bool, writers)
		together(writers, func(i int) {
			w.surely(func() error {
				answers, err := w.Append(w.Context(), appends[i:i+1])
				said[i] = err == nil && answers[0].Stored
				return err
			})
		})
		log := w.load(task)
		if len(log.Records) != round+3 {
			w.Fatalf("%d writers at once have stored %d records", writers, len(log.Records)-round-2)
		}
		for i, stored := range said {
			if mine := log.Records[round+2].ID == appends[i].Record.ID; stored && !mine {
				w.Errorf("writer %d is told %v, and the record is its own: %v", i, stored, mine)
			}
		}
	}
}

func callsCross(w *world) {
	const writers = 8
	parent := w.submit()
	var tasks []tasker.ID
	for range 12 {
		tasks = append(tasks, w.submit(childOf(parent)))
	}
	calls := make([][]tasker.Append, writers)
	for i := range calls {
		calls[i] = make([]tasker.Append, len(tasks))
		for j, at := range rand.Perm(len(tasks)) {
			calls[i][j] = finishes(w.next(tasks[at], nobody), tasker.TaskComplete)
		}
	}
	together(writers, func(i int) {
		w.surely(func() error { _, err := w.Append(w.Context(), calls[i]); return err })
	})
	for _, task := range tasks {
		if log := w.load(task); len(log.Records) != 2 || log.Row.State != tasker.TaskComplete {
			w.Errorf("a task has %d records and is %s", len(log.Records), log.Row.State)
		}
	}
	if w.row(parent).Poke == 0 {
		w.Error("no child's end has poked the parent")
	}
}

// again sends an append twice and wants it stored once.
func (w *world) again(a tasker.Append) {
	w.Helper()
	w.stores(a)
	first := w.load(a.Task)
	w.append(a) // refused, or said to be stored: both are true
	w.same(first, w.load(a.Task), "sending an append again")
	if at := first.Records[a.After]; at.ID != a.Record.ID {
		w.Error("the log does not show the record under its id")
	}
}

func sentAgainIsStoredOnce(w *world) {
	k := w.join()
	task := k.has()
	child := w.task(childOf(task))
	a := w.next(task, k.id)
	a.Children = []tasker.NewTask{child}
	w.again(a)
	w.again(pokes(w.next(task, nobody)))
	w.again(releases(w.next(task, k.id), tasker.TaskWaiting, -1))
	if n := len(w.load(child.Row.ID).Records); n != 1 {
		w.Errorf("the child has %d records", n)
	}
}

func claimSentAgain(w *world) {
	k := w.join()
	task := w.submit()
	w.again(owns(w.next(task, k.id)))
	if owner := w.row(task).Owner; owner != k.id {
		w.Errorf("the owner is %v", owner)
	}
}

func endSentAgain(w *world) {
	k := w.join()
	parent := w.submit()
	task := k.has(childOf(parent))
	a := finishes(w.next(task, k.id), tasker.TaskComplete)
	w.stores(a)
	poke := w.row(parent).Poke
	before := w.load(task)
	w.append(a)
	w.same(before, w.load(task), "sending an end again")
	if again := w.row(parent).Poke; again != poke {
		w.Errorf("the parent's poke went from %d to %d", poke, again)
	}
}

func halfSentAgain(w *world) {
	k := w.join()
	one, two, three := k.has(), k.has(), k.has()
	call := []tasker.Append{w.next(three, k.id), w.next(one, k.id), w.next(two, k.id)}
	w.stores(call[1])
	w.appendAll(call...)
	for _, a := range call {
		if ids := idsOf(w.load(a.Task).Records); len(ids) != 3 || ids[2] != a.Record.ID {
			w.Errorf("a task has the records %v, want %v to be the third and last", ids, a.Record.ID)
		}
	}
}

// sentAgainLate sends appends again whose answers came after all, when the
// task has moved on: a store that finds their records in the log must not do
// a second time what went with them.
func sentAgainLate(w *world) {
	k, other := w.join(), w.join()
	task := w.submit()
	claim := owns(w.next(task, k.id))
	w.stores(claim)
	release := releases(w.next(task, k.id), tasker.TaskWaiting, 0)
	w.stores(release)
	poke := pokes(w.next(task, nobody))
	w.stores(poke)
	parked := w.load(task)
	for _, again := range []tasker.Append{claim, release, poke} {
		w.append(again)
		w.same(parked, w.load(task), "sending again what was stored long ago")
	}
	other.claims(task)
	w.stores(releases(w.next(task, other.id), tasker.TaskBlocked, -1))
	blocked := w.load(task)
	for _, again := range []tasker.Append{claim, release, poke} {
		w.append(again)
		w.same(blocked, w.load(task), "sending again what was stored long ago")
	}
}

func silentAppend(w *world) {
	k := w.join()
	task := w.submit()
	for _, a := range []tasker.Append{
		owns(w.next(task, k.id)), releases(w.next(task, k.id), tasker.TaskWaiting, -1), pokes(w.next(task, nobody)),
	} {
		poke := w.row(task).Poke
		w.stores(silent(a))
		log := w.load(task)
		if len(log.Records) != 1 {
			w.Fatalf("the log has %d records, want the first one only", len(log.Records))
		}
		switch row := log.Row; {
		case a.Change == tasker.OwnRow && row.Owner != k.id,
			a.Change == tasker.ReleaseRow && (row.State != tasker.TaskWaiting || row.Owner != nobody),
			a.Poke && row.Poke <= poke:
			w.Errorf("after change %d the row is %+v", a.Change, row)
		}
	}
	w.stores(w.next(task, nobody)) // the place is still free
}

func silentAppendIsRefused(w *world) {
	k := w.join()
	task := k.has()
	for _, a := range []tasker.Append{
		owns(w.next(task, k.id)), releases(w.next(task, k.id), tasker.TaskWaiting, -1), pokes(w.next(task, nobody)),
	} {
		a.After = 1
		w.refuses(silent(a), "an append without events that comes too late")
	}
}

func unknownTask(w *world) {
	k := w.join()
	one, two := k.has(), k.has()
	child := w.task()
	for _, change := range []func(tasker.Append) tasker.Append{
		func(a tasker.Append) tasker.Append { return a },
		owns, pokes, silent,
		func(a tasker.Append) tasker.Append { return finishes(a, tasker.TaskComplete) },
		func(a tasker.Append) tasker.Append { return withChild(a, child) },
	} {
		for _, after := range []int64{0, 1, 2} {
			unknown := change(w.next(one, k.id))
			unknown.Task, unknown.After = w.id(), after
			answers := w.appendAll(w.next(one, k.id), unknown, w.next(two, k.id))
			if !answers[0].Stored || answers[1].Stored || !answers[2].Stored {
				w.Errorf("stored are %v, %v and %v; the second one is of a task that is not there", answers[0].Stored, answers[1].Stored, answers[2].Stored)
			}
			if w.exists(unknown.Task) || w.exists(child.Row.ID) {
				w.Error("the task, or its child, is there now")
			}
		}
	}
	if _, err := w.Load(w.Context(), w.id()); !errors.Is(err, tasker.ErrNotFound) {
		w.Errorf("reading an unknown task gives %v, want ErrNotFound", err)
	}
}

func emptyCall(w *world) {
	w.appendAll()
	w.submitAll()
	if differing, err := w.SaveTemplates(w.Context(), nil, false); err != nil || len(differing) > 0 {
		w.Errorf("saving no templates gives %v, %v", differing, err)
	}
}

func largeCall(w *world) {
	const n = 256
	k := w.join()
	tasks := make([]tasker.NewTask, n)
	for i := range tasks {
		tasks[i] = w.task()
	}
	w.submitAll(tasks...)
	appends := make([]tasker.Append, n)
	note := []byte(`"` + strings.Repeat("x", 8<<10) + `"`)
	for i := range appends {
		appends[i] = owns(tasker.Append{Task: tasks[i].Row.ID, After: 1, WakeIn: -1, Record: w.record(k.id)})
		appends[i].Record.Events[0].Metadata = note
	}
	for i, answer := range w.appendAll(appends...) {
		if !answer.Stored {
			w.Fatalf("append %d of %d is refused", i, n)
		}
	}
	if owned := k.owned(); len(owned) != n {
		w.Errorf("the worker owns %d tasks, want %d", len(owned), n)
	}
}

func timeGoesForward(w *world) {
	const writers, each = 4, 10
	task := w.submit()
	var stored sync.Map // record to the time of its answer
	together(writers, func(int) {
		for done := 0; done < each; {
			log, err := w.Load(w.Context(), task)
			if err != nil {
				continue
			}
			a := tasker.Append{Task: task, After: int64(len(log.Records)), WakeIn: -1, Record: w.record(nobody)}
			if answers, err := w.Append(w.Context(), []tasker.Append{a}); err == nil && answers[0].Stored {
				stored.Store(a.Record.ID, answers[0].At)
				done++
			} else if w.Context().Err() != nil {
				return
			}
		}
	})
	log := w.load(task)
	if !slices.IsSortedFunc(log.Records, func(a, b tasker.Record) int { return a.At.Compare(b.At) }) {
		w.Error("a record is older than the one before it")
	}
	for i, r := range log.Records {
		if at, known := stored.Load(r.ID); r.Seq != int64(i+1) || known && !r.At.Equal(at.(time.Time)) {
			w.Errorf("record %d is at position %d, of %v, and was said to be of %v", i+1, r.Seq, r.At, at)
		}
	}
}
