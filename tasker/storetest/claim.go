package storetest

import (
	"github.com/tasker-systems/tasker-go/tasker"
)

var claiming = chapter{"claim", []promise{
	{"a claim makes its writer the owner of a task in progress", claimOwns},
	{"of workers that claim at once one owns the task, and the log has its record only", claimAtOnce},
	{"workers that claim whole lists at once share them without a rest", claimLists},
	{"a refused claim has neither record nor owner", refusedClaim},
	{"in one call claims are stored or refused each for itself", claimsInOneCall},
	{"a task that a living worker owns cannot be claimed", ownedCannotBeClaimed},
	{"nor can it be taken by a release that is too late for its poke", ownedCannotBeTaken},
	{"a worker that the store never knew claims nothing", unknownClaims},
	{"a worker that has left claims nothing", leftClaims},
	{"a worker that was declared dead claims nothing", deadClaims},
	{"a worker whose lease has run out claims nothing, though nobody has noticed", fadedClaims},
	{"an owner may claim again", ownerClaimsAgain},
	{"an operator's record leaves the owner as it is", operatorLeavesOwner},
	{"a beat tells a task whose claim was never answered", adoption},
	{"a beat tells every task that the worker owns, and no other", beatTellsOwned},
}}

func claimOwns(w *world) {
	k := w.join()
	task := w.submit()
	a := owns(w.next(task, k.id))
	w.stores(a)
	log := w.load(task)
	if log.Row.Owner != k.id || log.Row.State != tasker.TaskInProgress {
		w.Errorf("the row is %+v", log.Row)
	}
	if len(log.Records) != 2 || log.Records[1].ID != a.Record.ID {
		w.Errorf("the log is %v", idsOf(log.Records))
	}
	if w.isOffered(task) {
		w.Error("the task is offered to others")
	}
}

func claimAtOnce(w *world) {
	const rounds = 10
	workers := make([]worker, 8)
	for i := range workers {
		workers[i] = w.join()
	}
	for range rounds {
		task := w.submit()
		claims := make([]tasker.Append, len(workers))
		for i, k := range workers {
			claims[i] = owns(w.next(task, k.id))
		}
		together(len(workers), func(i int) {
			w.surely(func() error { _, err := w.Append(w.Context(), claims[i:i+1]); return err })
		})
		log := w.load(task)
		if len(log.Records) != 2 {
			w.Fatalf("%d claims are stored", len(log.Records)-1)
		}
		if last := log.Records[1]; last.Writer != log.Row.Owner {
			w.Fatalf("the claim is of %v, the owner is %v", last.Writer, log.Row.Owner)
		}
		for _, k := range workers {
			if _, owned := k.owned()[task]; owned != (k.id == log.Row.Owner) {
				w.Fatalf("%v is told that it owns the task: %v; the owner is %v", k.id, owned, log.Row.Owner)
			}
		}
	}
}

func claimLists(w *world) {
	const tasks = 40
	var ids []tasker.ID
	for range tasks {
		ids = append(ids, w.submit())
	}
	workers := make([]worker, 4)
	claims := make([][]tasker.Append, len(workers))
	for i := range workers {
		workers[i] = w.join()
		for j := range ids { // each begins elsewhere
			claims[i] = append(claims[i], owns(w.next(ids[(j+i*tasks/len(workers))%tasks], workers[i].id)))
		}
	}
	together(len(workers), func(i int) {
		for half := range 2 {
			w.surely(func() error {
				_, err := w.Append(w.Context(), claims[i][half*tasks/2:(half+1)*tasks/2])
				return err
			})
		}
	})
	total := 0
	for _, k := range workers {
		total += len(k.owned())
	}
	for _, task := range ids {
		if log := w.load(task); len(log.Records) != 2 || log.Records[1].Writer != log.Row.Owner {
			w.Errorf("a task has %d records, and is owned by %v", len(log.Records), log.Row.Owner)
		}
	}
	if total != tasks {
		w.Errorf("together they own %d tasks of %d", total, tasks)
	}
}

func refusedClaim(w *world) {
	k, other := w.join(), w.join()
	task := w.submit()
	late := owns(w.next(task, k.id))
	w.stores(w.next(task, nobody))
	w.refuses(late, "a claim that comes too late")
	other.claims(task)
	w.refuses(late, "a claim that comes too late")
	if len(k.owned()) > 0 {
		w.Error("a refused claim is told to be owned")
	}
}

func claimsInOneCall(w *world) {
	k, other := w.join(), w.join()
	free, behind, taken, last := w.submit(), w.submit(), w.submit(), w.submit()
	stale := owns(w.next(behind, k.id))
	w.stores(w.next(behind, nobody))
	other.claims(taken)
	answers := w.appendAll(owns(w.next(last, k.id)), stale, owns(w.next(free, k.id)), owns(w.next(taken, k.id)))
	for i, want := range []bool{true, false, true, false} {
		if answers[i].Stored != want {
			w.Errorf("claim %d: stored %v, want %v", i, answers[i].Stored, want)
		}
	}
	if owned := k.owned(); len(owned) != 2 || w.row(last).Owner != k.id || w.row(free).Owner != k.id {
		w.Errorf("the worker owns %v", owned)
	}
	if w.row(taken).Owner != other.id || w.row(behind).Owner != nobody {
		w.Error("a refused claim has changed an owner")
	}
}

func ownedCannotBeClaimed(w *world) {
	k, other := w.join(), w.join()
	task := k.has()
	w.refuses(owns(w.next(task, other.id)), "a claim of a living worker's task")
	w.refuses(silent(owns(w.next(task, other.id))), "a silent claim of a living worker's task")
	w.stores(w.next(task, k.id)) // its owner goes on
}

func ownedCannotBeTaken(w *world) {
	k, other := w.join(), w.join()
	task := k.has()
	late := releases(w.next(task, other.id), tasker.TaskWaiting, -1)
	w.stores(pokes(silent(w.next(task, nobody))))
	w.append(late)
	if owner := w.row(task).Owner; owner != k.id {
		w.Errorf("the owner is %v, want the one that has claimed it", owner)
	}
	if _, owned := k.owned()[task]; !owned || len(other.owned()) > 0 {
		w.Error("the beats tell another owner")
	}
}

// cannotClaim wants every kind of claim by k refused.
func (w *world) cannotClaim(k worker) {
	w.Helper()
	task := w.submit()
	w.refuses(owns(w.next(task, k.id)), "a claim by a worker that does not live")
	w.refuses(silent(owns(w.next(task, k.id))), "a silent claim by a worker that does not live")
	if !w.isOffered(task) {
		w.Error("the task is not offered any more")
	}
	w.join().claims(task)
}

func unknownClaims(w *world) { w.cannotClaim(worker{w, w.id()}) }

func leftClaims(w *world) {
	k := w.join()
	if err := w.Leave(w.Context(), k.id); err != nil {
		w.Fatal(err)
	}
	w.cannotClaim(k)
}

func deadClaims(w *world) {
	k := w.join()
	k.dies()
	w.cannotClaim(k)
}

func fadedClaims(w *world) {
	k := w.join()
	task := w.submit()
	claim := owns(w.next(task, k.id))
	k.fades()
	w.refuses(claim, "a claim after the lease")
}

func ownerClaimsAgain(w *world) {
	k := w.join()
	task := k.has()
	k.claims(task)
	if row := w.row(task); row.Owner != k.id || len(k.owned()) != 1 {
		w.Errorf("the row is %+v", row)
	}
}

func operatorLeavesOwner(w *world) {
	k := w.join()
	task := k.has()
	w.stores(w.next(task, nobody))
	w.stores(pokes(w.next(task, nobody)))
	if row := w.row(task); row.Owner != k.id || row.State != tasker.TaskInProgress || w.isOffered(task) {
		w.Errorf("the row is %+v", row)
	}
	w.stores(w.next(task, k.id))
}

func adoption(w *world) {
	k := w.join()
	task := w.submit()
	_, _ = w.Append(w.Context(), []tasker.Append{owns(w.next(task, k.id))}) // the answer is lost
	if poke, owned := k.owned()[task]; !owned || poke != w.row(task).Poke {
		w.Errorf("the beat tells the task: %v, with poke %d", owned, poke)
	}
}

func beatTellsOwned(w *world) {
	k, other := w.join(), w.join()
	other.has()
	w.submit()
	kept, released, ended := k.has(), k.has(), k.has()
	w.stores(releases(w.next(released, k.id), tasker.TaskWaiting, -1))
	w.stores(finishes(w.next(ended, k.id), tasker.TaskComplete))
	second := k.has()
	if owned := k.owned(); len(owned) != 2 {
		w.Errorf("the beat tells %d tasks, want 2", len(owned))
	} else if _, one := owned[kept]; !one {
		w.Error("the beat does not tell the first task")
	} else if _, two := owned[second]; !two {
		w.Error("the beat does not tell the second task")
	}
}
