package storetest

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/tasker-systems/tasker-go/tasker"
)

var offering = chapter{"candidates", []promise{
	{"tasks are offered with their row and their whole log", wholeLogs},
	{"only tasks of the templates asked for are offered", onlyTemplates},
	{"only tasks of the tag asked for are offered, and every task where none is", onlyTag},
	{"reading claims nothing", readingClaimsNothing},
	{"not more are offered than asked for", limitIsKept},
	{"within a namespace the most urgent come first, then the oldest", urgentFirst},
	{"who asks for the oldest is offered them round the namespaces, however urgent others are", oldestFirst},
	{"tasks are offered round the namespaces", roundNamespaces},
	{"where one task is asked for at a time every namespace has its turn", everyNamespaceHasItsTurn},
	{"a task that is claimed is not offered, and comes back when it is released", claimedIsNotOffered},
}}

func wholeLogs(w *world) {
	k := w.join()
	task := k.has(tagged("run"))
	for range 5 {
		w.stores(w.next(task, k.id))
	}
	w.stores(releases(w.next(task, k.id), tasker.TaskInProgress, 0))
	w.submit()
	found := w.offers(w.any(10))
	want := w.load(task)
	i := slices.Index(tasksOf(found), task)
	if i < 0 {
		w.Fatal("the task is not offered")
	}
	if diff := cmp.Diff(want.Row, found.Logs[i].Row); diff != "" {
		w.Errorf("the row is not what Load gives:\n%s", diff)
	}
	w.sameRecords(want.Records, found.Logs[i].Records)
	if found.Now.IsZero() || want.Now.Before(found.Now) {
		w.Errorf("the candidates are read at %v, a later log at %v", found.Now, want.Now)
	}
}

func onlyTemplates(w *world) {
	w.save(text("shop", "order", "2.0.0", ""), text("shop", "refund", "1.0.0", ""), text("stock", "order", "1.0.0", ""))
	var tasks []tasker.ID
	for _, t := range w.texts {
		tasks = append(tasks, w.submit(of(t)))
	}
	keys := w.any(0).Templates
	for _, tt := range []struct {
		name string
		ask  []tasker.TemplateKey
		want []tasker.ID
	}{
		{"one", keys[1:2], tasks[1:2]},
		{"two", keys[2:4], tasks[2:4]},
		{"none", nil, nil},
		{"one that has no task", []tasker.TemplateKey{{Namespace: "shop", Hash: hash("unknown")}}, nil},
		{"one in another namespace", []tasker.TemplateKey{{Namespace: "stock", Hash: keys[0].Hash}}, nil},
		{"pairs that share parts", []tasker.TemplateKey{{Namespace: "stock", Hash: keys[1].Hash}, {Namespace: "shop", Hash: keys[3].Hash}, keys[2]}, tasks[2:3]},
	} {
		if got := tasksOf(w.offers(tasker.CandidateQuery{Templates: tt.ask, Limit: 10})); !equal(got, tt.want) {
			w.Errorf("%s: offered are %v, want %v", tt.name, got, tt.want)
		}
	}
}

func onlyTag(w *world) {
	one, two, none := w.submit(tagged("one")), w.submit(tagged("two")), w.submit()
	for tag, want := range map[string][]tasker.ID{"one": {one}, "two": {two}, "on": nil, "ONE": nil, "": {one, two, none}} {
		q := w.any(10)
		q.Tag = tag
		if got := tasksOf(w.offers(q)); !equal(got, want) {
			w.Errorf("tag %q: offered are %v, want %v", tag, got, want)
		}
	}
}

func readingClaimsNothing(w *world) {
	k := w.join()
	task := w.submit()
	before := w.load(task)
	for range 3 {
		if !w.isOffered(task) {
			w.Fatal("the task is offered no more")
		}
	}
	w.same(before, w.load(task), "reading candidates")
	if len(k.owned()) > 0 {
		w.Error("a worker owns it")
	}
}

func limitIsKept(w *world) {
	for range 10 {
		w.submit()
	}
	for limit, want := range map[int]int{0: 0, 1: 1, 3: 3, 10: 10, 500: 10} {
		if got := len(w.offers(w.any(limit)).Logs); got != want {
			w.Errorf("with limit %d %d tasks are offered, want %d", limit, got, want)
		}
	}
}

func urgentFirst(w *world) {
	var want [5][]tasker.ID // by priority from -1, the oldest first
	for i := range 20 {
		priority := i%5 - 1
		want[i%5] = append(want[i%5], w.submit(urgent(priority)))
	}
	slices.Reverse(want[:])
	all := slices.Concat(want[:]...)
	for _, limit := range []int{20, 7} {
		if diff := cmp.Diff(all[:limit], tasksOf(w.offers(w.any(limit)))); diff != "" {
			w.Errorf("the order with limit %d is wrong:\n%s", limit, diff)
		}
	}
}

func oldestFirst(w *world) {
	w.save(text("shop", "rush", "1.0.0", ""), text("stock", "order", "1.0.0", ""))
	var shop, stock []tasker.ID
	for i := range 20 {
		shop = append(shop, w.submit(of(w.texts[i%2]), urgent(i%2*10)))
		stock = append(stock, w.submit(of(w.texts[2]), urgent(5)))
	}
	for _, limit := range []int{40, 10} {
		q := w.any(limit)
		q.Oldest = true
		var offered [2][]tasker.ID
		for _, log := range w.offers(q).Logs {
			n := 0
			if log.Row.Namespace == "stock" {
				n = 1
			}
			offered[n] = append(offered[n], log.Row.ID)
		}
		for n, want := range [2][]tasker.ID{shop[:limit/2], stock[:limit/2]} {
			if diff := cmp.Diff(want, offered[n]); diff != "" {
				w.Errorf("the order with limit %d is wrong:\n%s", limit, diff)
			}
		}
	}
}

func roundNamespaces(w *world) {
	w.save(text("two", "order", "1.0.0", ""), text("three", "order", "1.0.0", ""))
	for i, n := range []int{12, 4, 8} {
		for range n {
			w.submit(of(w.texts[i]), urgent(10*(2-i))) // urgency counts within a namespace only
		}
	}
	for limit, want := range map[int][3]int{3: {1, 1, 1}, 9: {3, 3, 3}, 24: {12, 4, 8}, 18: {7, 4, 7}} {
		logs := w.offers(w.any(limit)).Logs
		if limit == 3 || limit == 9 || limit == 24 {
			if got := w.byNamespace(logs); got != want {
				w.Errorf("with limit %d the namespaces are offered %v, want %v", limit, got, want)
			}
		}
		for n := range min(len(logs), 12) { // while each has some, none is ahead of another
			got := w.byNamespace(logs[:n+1])
			if slices.Max(got[:])-slices.Min(got[:]) > 1 {
				w.Errorf("the first %d of %d are %v by namespace", n+1, limit, got)
			}
		}
	}
}

// byNamespace counts logs by the namespaces of the case's three templates.
func (w *world) byNamespace(logs []tasker.Log) (counts [3]int) {
	for i := range logs {
		counts[slices.IndexFunc(w.texts, func(t tasker.StoredTemplate) bool { return t.Namespace == logs[i].Row.Namespace })]++
	}
	return counts
}

func everyNamespaceHasItsTurn(w *world) {
	w.save(text("two", "order", "1.0.0", ""), text("three", "order", "1.0.0", ""))
	k := w.join()
	for range 40 {
		for _, t := range w.texts {
			w.submit(of(t))
		}
	}
	var counts [3]int
	for range 40 { // a store that chooses by chance misses one of three in one run of four million
		found := w.offers(w.any(1))
		if len(found.Logs) != 1 {
			w.Fatalf("%d tasks are offered", len(found.Logs))
		}
		got := w.byNamespace(found.Logs)
		for i := range counts {
			counts[i] += got[i]
		}
		k.claims(found.Logs[0].Row.ID)
	}
	if slices.Min(counts[:]) == 0 {
		w.Errorf("in 40 turns the namespaces were offered %v", counts)
	}
}

func claimedIsNotOffered(w *world) {
	k := w.join()
	task, rest := w.submit(), w.submit()
	for range 3 {
		k.claims(task)
		if got := w.offered(); len(got) != 1 || got[0] != rest {
			w.Errorf("offered are %v, want the one that nobody owns", got)
		}
		w.stores(releases(w.next(task, k.id), tasker.TaskInProgress, 0))
		if got := w.offered(); len(got) != 2 {
			w.Errorf("%d tasks are offered, want both", len(got))
		}
	}
}
