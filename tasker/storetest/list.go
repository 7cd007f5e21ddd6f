package storetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tasker-systems/tasker-go/tasker"
)

var listing = chapter{"list", []promise{
	{"a list without a filter has every task, the newest first", newestFirst},
	{"a list has the rows that Load gives", listedRows},
	{"tasks are listed by each state", listByState},
	{"tasks are listed by namespace, name, tag, parent, input and ids", listBy},
	{"filters that are given together must all fit", listByAll},
	{"pages that begin after the last one's end have every task once", pages},
	{"idle are tasks that have not ended and to which nothing happened for so long", listIdle},
	{"without a worker are tasks that nobody who lives has the handlers of", listNoWorker},
	{"a list has a hundred tasks where no limit is given, and a thousand at most", listLimits},
}}

func (w *world) list(f tasker.Filter) []tasker.Row {
	w.Helper()
	rows, err := w.Rows(w.Context(), f)
	if err != nil {
		w.Fatalf("rows: %v", err)
	}
	return rows
}

// lists wants a list to have these tasks, the newest first.
func (w *world) lists(what string, f tasker.Filter, want ...tasker.ID) {
	w.Helper()
	var got []tasker.ID
	for _, row := range w.list(f) {
		got = append(got, row.ID)
	}
	want = sorted(want)
	slices.Reverse(want)
	if !slices.Equal(got, want) {
		w.Errorf("%s: listed are %v, want %v", what, got, want)
	}
}

func listIdle(w *world) {
	k := w.join()
	idle, ended, busy := w.submit(), k.has(), w.submit()
	w.stores(finishes(w.next(ended, k.id), tasker.TaskError))
	last := w.load(busy).Now
	w.eventually("time goes by", func() bool { return w.clock().Sub(last) > 200*time.Millisecond })
	k.claims(busy)
	w.lists("idle", tasker.Filter{Idle: 150 * time.Millisecond}, idle)
	w.lists("idle for an hour", tasker.Filter{Idle: time.Hour})
	w.lists("idle by id", tasker.Filter{Idle: 150 * time.Millisecond, IDs: []tasker.ID{busy, ended}})
}

func listNoWorker(w *world) {
	w.save(text("store", "parcel", "1.0.0", "other"))
	order, parcel := w.submit(), w.submit(of(w.texts[1]))
	ended := w.submit()
	w.stores(finishes(w.next(ended, nobody), tasker.TaskCancelled))
	w.lists("with nobody there", tasker.Filter{NoWorker: true}, order, parcel)
	k := worker{w, w.id()}
	able := tasker.Beat{Worker: k.id, Lease: long, First: true, Templates: w.any(1).Templates[:1]}
	if _, err := w.Beat(w.Context(), able); err != nil {
		w.Fatal(err)
	}
	w.lists("with one for orders", tasker.Filter{NoWorker: true}, parcel)
	w.lists("of another namespace", tasker.Filter{NoWorker: true, Namespace: w.texts[0].Namespace})
	able.First, able.Templates = false, w.any(1).Templates
	if _, err := w.Beat(w.Context(), able); err != nil {
		w.Fatal(err)
	}
	w.lists("with one for both", tasker.Filter{NoWorker: true})
	k.fades()
	w.lists("with its lease over", tasker.Filter{NoWorker: true}, order, parcel)
}

func newestFirst(w *world) {
	tasks := []tasker.NewTask{w.task(urgent(9)), w.task(), w.task(urgent(-1)), w.task(tagged("x")), w.task(called("y"))}
	ids := []tasker.ID{}
	for _, i := range []int{3, 0, 4, 1, 2} {
		ids = append(ids, w.submitAll(tasks[i])[0].ID)
	}
	w.lists("all", tasker.Filter{}, ids...)
	if rows := w.list(tasker.Filter{Tag: "none such"}); len(rows) != 0 {
		w.Errorf("%d tasks are listed under no such tag", len(rows))
	}
}

func listedRows(w *world) {
	k := w.join()
	w.has3(k)
	for _, row := range w.list(tasker.Filter{}) {
		if diff := cmp.Diff(w.row(row.ID), row); diff != "" {
			w.Errorf("the row in the list is not what Load gives:\n%s", diff)
		}
	}
}

// has3 makes an owned task, one that sleeps and one that has ended.
func (w *world) has3(k worker) {
	w.Helper()
	parent := k.has(called("key"), tagged("run"), urgent(3))
	slept, ended := k.has(childOf(parent)), k.has(retryable)
	w.stores(releases(w.next(slept, k.id), tasker.TaskWaitingForRetry, long))
	w.stores(pokes(finishes(w.next(ended, nobody), tasker.TaskError)))
}

func listByState(w *world) {
	k := w.join()
	by := map[tasker.TaskState]tasker.ID{tasker.TaskPending: w.submit(), tasker.TaskInProgress: k.has()}
	for _, state := range []tasker.TaskState{tasker.TaskWaitingForRetry, tasker.TaskWaiting, tasker.TaskBlocked} {
		by[state] = k.has()
		w.stores(releases(w.next(by[state], k.id), state, -1))
	}
	for _, state := range finals {
		by[state] = k.has()
		w.stores(finishes(w.next(by[state], k.id), state))
	}
	for state := tasker.TaskPending; state <= tasker.TaskResolved; state++ {
		w.lists(state.String(), tasker.Filter{States: []tasker.TaskState{state}}, by[state])
	}
	w.lists("two", tasker.Filter{States: []tasker.TaskState{tasker.TaskError, tasker.TaskPending}}, by[tasker.TaskError], by[tasker.TaskPending])
}

func listBy(w *world) {
	w.save(text("shop", "refund", "1.0.0", ""), text("stock", "order", "1.0.0", ""))
	root := w.submit(tagged("run"))
	child := w.submit(childOf(root), tagged("run"))
	grandchild := w.submit(childOf(child), func(r *tasker.Row) { r.Root = root })
	refund, stock := w.submit(of(w.texts[1])), w.submit(of(w.texts[2]))
	input := w.submit(func(r *tasker.Row) { r.InputHash = hash("input") })
	w.lists("namespace", tasker.Filter{Namespace: "stock"}, stock)
	w.lists("name", tasker.Filter{Name: "order"}, root, child, grandchild, stock, input)
	w.lists("namespace and name", tasker.Filter{Namespace: "shop", Name: "refund"}, refund)
	w.lists("tag", tasker.Filter{Tag: "run"}, root, child)
	w.lists("parent", tasker.Filter{Parent: root}, child)
	w.lists("parent of no task", tasker.Filter{Parent: refund})
	w.lists("input", tasker.Filter{InputHash: hash("input")}, input)
	w.lists("ids", tasker.Filter{IDs: []tasker.ID{stock, w.id(), root, stock}}, root, stock)
	w.lists("unknown id", tasker.Filter{IDs: []tasker.ID{w.id()}})
	w.lists("before", tasker.Filter{Before: grandchild}, root, child)
	w.lists("limit", tasker.Filter{Limit: 2}, input, stock)
}

func listByAll(w *world) {
	k := w.join()
	parent := w.submit()
	want := k.has(tagged("run"), childOf(parent))
	k.has(tagged("run"))
	k.has(childOf(parent))
	w.submit(tagged("run"), childOf(parent))
	newer := k.has(tagged("run"), childOf(parent))
	f := tasker.Filter{
		Namespace: "shop", Name: "order", Tag: "run", Parent: parent, InputHash: hash("{}"),
		States: []tasker.TaskState{tasker.TaskInProgress}, Before: newer, IDs: []tasker.ID{want, newer, parent}, Limit: 5,
	}
	w.lists("all that fit", f, want)
	for what, change := range map[string]func(*tasker.Filter){
		"another namespace": func(f *tasker.Filter) { f.Namespace = "stock" },
		"another name":      func(f *tasker.Filter) { f.Name = "refund" },
		"another tag":       func(f *tasker.Filter) { f.Tag = "ru" },
		"another parent":    func(f *tasker.Filter) { f.Parent = want },
		"another input":     func(f *tasker.Filter) { f.InputHash = hash("x") },
		"another state":     func(f *tasker.Filter) { f.States = []tasker.TaskState{tasker.TaskPending} },
		"another page":      func(f *tasker.Filter) { f.Before = want },
		"another id":        func(f *tasker.Filter) { f.IDs = []tasker.ID{newer} },
	} {
		other := f
		change(&other)
		w.lists(what, other)
	}
}

func pages(w *world) {
	const n = 57
	var all []tasker.ID
	for i := range n {
		all = append(all, w.submit(tagged([]string{"odd", "even"}[i%2])))
	}
	for _, size := range []int{1, 10, 19, 57, 100} {
		var seen []tasker.ID
		f := tasker.Filter{Limit: size}
		for rows := w.list(f); len(rows) > 0 && len(seen) <= n; rows = w.list(f) {
			for _, row := range rows {
				seen = append(seen, row.ID)
			}
			f.Before = seen[len(seen)-1]
			if len(rows) > size {
				w.Fatalf("a page of %d has %d tasks", size, len(rows))
			}
		}
		slices.Reverse(seen)
		if !slices.Equal(seen, all) {
			w.Errorf("in pages of %d there are %d tasks of %d, or in another order", size, len(seen), n)
		}
	}
}

func listLimits(w *world) {
	tasks := make([]tasker.NewTask, 1010)
	for i := range tasks {
		tasks[i] = w.task()
	}
	w.submitAll(tasks...)
	for limit, want := range map[int]int{0: 100, 1: 1, 150: 150, 1000: 1000, 5000: 1000} {
		rows := w.list(tasker.Filter{Limit: limit})
		if len(rows) != want || rows[0].ID != tasks[len(tasks)-1].Row.ID {
			w.Errorf("with limit %d there are %d tasks, want %d", limit, len(rows), want)
		}
	}
}
