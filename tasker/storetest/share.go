package storetest

import (
	"sync"

	"github.com/tasker-systems/tasker-go/tasker"
)

var sharing = chapter{"share", []promise{
	{"no more tasks of a namespace are claimed than the limit of the claim says", limitedClaims},
	{"a place under a limit is free again after an end, a rest and a death", freedPlaces},
	{"many that claim at once stay under the limit", claimsRaceUnderLimit},
	{"a limit holds back no other namespace and no claim without one", limitOfOthers},
}}

func limited(a tasker.Append, limit int) tasker.Append {
	a.Limit = limit
	return a
}

func limitedClaims(w *world) {
	one, two := w.join(), w.join()
	for i := range 3 {
		k := []worker{one, two}[i%2]
		w.stores(limited(owns(w.next(w.submit(), k.id)), 3))
	}
	w.refuses(limited(owns(w.next(w.submit(), two.id)), 3), "a fourth claim under a limit of three")
	batch := []tasker.Append{}
	for range 4 {
		batch = append(batch, limited(owns(w.next(w.submit(), one.id)), 5))
	}
	stored := 0
	for _, answer := range w.appendAll(batch...) {
		if answer.Stored {
			stored++
		}
	}
	if stored != 2 {
		w.Errorf("of four claims at once %d came through, with three tasks owned and a limit of five", stored)
	}
}

func freedPlaces(w *world) {
	k, mortal := w.join(), w.join()
	ended, rests := k.has(), k.has()
	mortal.has()
	next := func() tasker.Append { return limited(owns(w.next(w.submit(), k.id)), 3) }
	w.refuses(next(), "a claim when three are owned")
	w.stores(finishes(w.next(ended, k.id), tasker.TaskComplete))
	w.stores(next())
	w.refuses(next(), "a claim in the place that was taken")
	w.stores(releases(w.next(rests, k.id), tasker.TaskWaiting, -1))
	w.stores(next())
	mortal.fades()
	w.stores(next())
	w.refuses(next(), "a claim after all places were taken again")
}

func claimsRaceUnderLimit(w *world) {
	const limit = 5
	var all sync.WaitGroup
	for range 8 {
		k := w.join()
		var claims []tasker.Append
		for range 5 {
			claims = append(claims, limited(owns(w.next(w.submit(), k.id)), limit))
		}
		all.Go(func() {
			for _, claim := range claims {
				w.surely(func() error { _, err := w.Append(w.Context(), []tasker.Append{claim}); return err })
			}
		})
	}
	all.Wait()
	owned := 0
	rows := w.list(tasker.Filter{Limit: 1000})
	for i := range rows {
		if rows[i].Owner != nobody {
			owned++
		}
	}
	if owned != limit {
		w.Errorf("forty claims at once under a limit of %d left %d tasks owned", limit, owned)
	}
}

func limitOfOthers(w *world) {
	w.save(text("store", "parcel", "1.0.0", "other"))
	k := w.join()
	k.has()
	other := of(w.texts[1])
	w.stores(limited(owns(w.next(w.submit(other), k.id)), 1))
	w.refuses(limited(owns(w.next(w.submit(other), k.id)), 1), "a second claim in the other namespace")
	k.claims(w.submit())
}
