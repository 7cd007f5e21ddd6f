package storetest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tasker-systems/tasker-go/tasker"
)

// patience is how long a case waits for what must come.
const patience = 30 * time.Second

// long is a lease that no case outlives.
const long = 10 * time.Minute

// nobody writes what clients and operators store.
var nobody tasker.ID

// world is a case with its store, and the words that it speaks to it.
type world struct {
	*testing.T
	tasker.Store
	texts []tasker.StoredTemplate // saved; the first one is the template of every task that asks for no other
	born  int64
	made  atomic.Uint32
	salt  [4]byte
}

func newWorld(t *testing.T, store tasker.Store) *world {
	w := &world{T: t, Store: store, born: time.Now().UnixMilli()}
	_, _ = rand.Read(w.salt[:]) // never fails
	w.save(text("shop", "order", "1.0.0", "first"))
	return w
}

// id makes ids of version 7 that sort in the order in which they were made.
func (w *world) id() tasker.ID {
	var id tasker.ID
	binary.BigEndian.PutUint64(id[:], uint64(w.born)<<16)
	id[6], id[8] = 0x70, 0x80
	binary.BigEndian.PutUint32(id[8:], 0x80000000|w.made.Add(1))
	copy(id[12:], w.salt[:])
	return id
}

// text is a template as a store keeps it.
func text(namespace, name, version, body string) tasker.StoredTemplate {
	source := namespace + "/" + name + "@" + version + "\n" + body
	return tasker.StoredTemplate{Namespace: namespace, Name: name, Version: version, Hash: hash(source), Source: source, Steps: []string{"a", "b"}}
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (w *world) save(texts ...tasker.StoredTemplate) {
	w.Helper()
	if _, err := w.SaveTemplates(w.Context(), texts, true); err != nil {
		w.Fatalf("save templates: %v", err)
	}
	w.texts = append(w.texts, texts...)
}

// task is a new task, not yet submitted.
func (w *world) task(changes ...func(*tasker.Row)) tasker.NewTask {
	id := w.id()
	of := w.texts[0]
	row := tasker.Row{
		ID: id, Root: id, Namespace: of.Namespace, Name: of.Name, Version: of.Version, Hash: of.Hash,
		Environment: "test", CorrelationID: id.String(), InputHash: hash("{}"),
	}
	for _, change := range changes {
		change(&row)
	}
	return tasker.NewTask{Row: row, Record: tasker.Record{ID: w.id(), Events: []tasker.Event{{Kind: tasker.Submitted, Context: []byte(`{}`)}}}}
}

// Changes of a new task's row.
func of(t tasker.StoredTemplate) func(*tasker.Row) {
	return func(r *tasker.Row) { r.Namespace, r.Name, r.Version, r.Hash = t.Namespace, t.Name, t.Version, t.Hash }
}
func called(identity string) func(*tasker.Row) { return func(r *tasker.Row) { r.Identity = identity } }
func tagged(tag string) func(*tasker.Row)      { return func(r *tasker.Row) { r.Tag = tag } }
func urgent(priority int) func(*tasker.Row)    { return func(r *tasker.Row) { r.Priority = priority } }
func retryable(r *tasker.Row)                  { r.RetryEnded = true }
func childOf(parent tasker.ID) func(*tasker.Row) {
	return func(r *tasker.Row) { r.Parent, r.Root = parent, parent }
}

// submit stores a new task and gives its id.
func (w *world) submit(changes ...func(*tasker.Row)) tasker.ID {
	w.Helper()
	return w.submitAll(w.task(changes...))[0].ID
}

func (w *world) submitAll(tasks ...tasker.NewTask) []tasker.Row {
	w.Helper()
	rows, err := w.Submit(w.Context(), tasks)
	if err != nil {
		w.Fatalf("submit: %v", err)
	}
	if len(rows) != len(tasks) {
		w.Fatalf("%d tasks have %d answers", len(tasks), len(rows))
	}
	return rows
}

func (w *world) load(task tasker.ID) tasker.Log {
	w.Helper()
	log, err := w.Load(w.Context(), task)
	if err != nil {
		w.Fatalf("load: %v", err)
	}
	return log
}

func (w *world) row(task tasker.ID) tasker.Row { w.Helper(); return w.load(task).Row }

// record is a record with something in it.
func (w *world) record(writer tasker.ID) tasker.Record {
	return tasker.Record{ID: w.id(), Writer: writer, Events: []tasker.Event{{Kind: tasker.Started, Step: "a", Attempt: 1}}}
}

// next is an append of one record at the place that is free now, which leaves
// the row as it is.
func (w *world) next(task, writer tasker.ID) tasker.Append {
	w.Helper()
	log := w.load(task)
	return tasker.Append{Task: task, After: int64(len(log.Records)), WakeIn: -1, IfPoke: log.Row.Poke, Record: w.record(writer)}
}

// Changes of an append.
func owns(a tasker.Append) tasker.Append { a.Change = tasker.OwnRow; return a }
func finishes(a tasker.Append, as tasker.TaskState) tasker.Append {
	a.Change, a.State = tasker.FinishRow, as
	return a
}
func releases(a tasker.Append, as tasker.TaskState, wakeIn time.Duration) tasker.Append {
	a.Change, a.State, a.WakeIn = tasker.ReleaseRow, as, wakeIn
	return a
}
func pokes(a tasker.Append) tasker.Append  { a.Poke = true; return a }
func silent(a tasker.Append) tasker.Append { a.Record.Events = nil; return a }

func (w *world) appendAll(appends ...tasker.Append) []tasker.Appended {
	w.Helper()
	answers, err := w.Append(w.Context(), appends)
	if err != nil {
		w.Fatalf("append: %v", err)
	}
	if len(answers) != len(appends) {
		w.Fatalf("%d appends have %d answers", len(appends), len(answers))
	}
	return answers
}

func (w *world) append(a tasker.Append) tasker.Appended { w.Helper(); return w.appendAll(a)[0] }

func (w *world) stores(a tasker.Append) tasker.Appended {
	w.Helper()
	answer := w.append(a)
	if !answer.Stored {
		w.Fatal("a good append is refused")
	}
	return answer
}

func (w *world) refuses(a tasker.Append, what string) {
	w.Helper()
	before := w.load(a.Task)
	if w.append(a).Stored {
		w.Errorf("%s is stored", what)
	}
	w.same(before, w.load(a.Task), what)
}

// same holds a task to what it was.
func (w *world) same(before, after tasker.Log, despite string) {
	w.Helper()
	if diff := cmp.Diff(before.Row, after.Row); diff != "" {
		w.Errorf("%s has changed the row:\n%s", despite, diff)
	}
	if diff := cmp.Diff(idsOf(before.Records), idsOf(after.Records)); diff != "" {
		w.Errorf("%s has changed the log:\n%s", despite, diff)
	}
}

func idsOf(records []tasker.Record) []tasker.ID {
	var ids []tasker.ID
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// worker is one that a store knows, or did.
type worker struct {
	*world
	id tasker.ID
}

// join makes a worker that lives as long as the case.
func (w *world) join() worker { w.Helper(); return w.joinFor(long) }

func (w *world) joinFor(lease time.Duration) worker {
	w.Helper()
	k := worker{w, w.id()}
	if _, err := w.Beat(w.Context(), tasker.Beat{Worker: k.id, Lease: lease, First: true}); err != nil {
		w.Fatalf("join: %v", err)
	}
	return k
}

func (k worker) beat() tasker.Pulse {
	k.Helper()
	pulse, err := k.Beat(k.Context(), tasker.Beat{Worker: k.id, Lease: long})
	if err != nil {
		k.Fatalf("beat: %v", err)
	}
	return pulse
}

// owned is what the store thinks the worker owns, by task.
func (k worker) owned() map[tasker.ID]int64 {
	k.Helper()
	owned := map[tasker.ID]int64{}
	for _, o := range k.beat().Owned {
		owned[o.Task] = o.Poke
	}
	return owned
}

// claims takes a task for the worker.
func (k worker) claims(task tasker.ID) {
	k.Helper()
	k.stores(owns(k.next(task, k.id)))
}

// has is a new task that the worker has claimed.
func (k worker) has(changes ...func(*tasker.Row)) tasker.ID {
	k.Helper()
	task := k.submit(changes...)
	k.claims(task)
	return task
}

// fades ends the worker's lease by the store's own clock, without a word to
// anybody.
func (k worker) fades() {
	k.Helper()
	pulse, err := k.Beat(k.Context(), tasker.Beat{Worker: k.id, Lease: time.Millisecond})
	if err != nil {
		k.Fatalf("beat: %v", err)
	}
	k.eventually("the store's clock goes on", func() bool { return k.clock().Sub(pulse.Now) > 20*time.Millisecond })
}

// dies ends the worker's lease, and another one's beat declares it dead.
func (k worker) dies() {
	k.Helper()
	k.fades()
	k.join()
	if !k.isDead() {
		k.Fatal("the worker's lease is over and another one has beaten, and it lives")
	}
}

// isDead asks by a beat, which would renew the lease of a living worker.
func (k worker) isDead() bool {
	k.Helper()
	_, err := k.Beat(k.Context(), tasker.Beat{Worker: k.id, Lease: long})
	if err != nil && !errors.Is(err, tasker.ErrWorkerDead) {
		k.Fatalf("beat: %v", err)
	}
	return err != nil
}

// clock is the store's time.
func (w *world) clock() time.Time { w.Helper(); return w.offers(w.any(1)).Now }

// any asks for tasks of every template that the case has saved.
func (w *world) any(limit int) tasker.CandidateQuery {
	q := tasker.CandidateQuery{Limit: limit}
	for _, t := range w.texts {
		q.Templates = append(q.Templates, tasker.TemplateKey{Namespace: t.Namespace, Hash: t.Hash})
	}
	return q
}

func (w *world) offers(q tasker.CandidateQuery) tasker.Candidates {
	w.Helper()
	found, err := w.Candidates(w.Context(), q)
	if err != nil {
		w.Fatalf("candidates: %v", err)
	}
	return found
}

// offered are the tasks that anybody may claim.
func (w *world) offered() []tasker.ID { w.Helper(); return tasksOf(w.offers(w.any(1000))) }

func (w *world) isOffered(task tasker.ID) bool { w.Helper(); return slices.Contains(w.offered(), task) }

func tasksOf(c tasker.Candidates) []tasker.ID {
	var ids []tasker.ID
	for i := range c.Logs {
		ids = append(ids, c.Logs[i].Row.ID)
	}
	return ids
}

// exists says whether a task is stored.
func (w *world) exists(task tasker.ID) bool {
	w.Helper()
	_, err := w.Load(w.Context(), task)
	if err != nil && !errors.Is(err, tasker.ErrNotFound) {
		w.Fatalf("load: %v", err)
	}
	return err == nil
}

// eventually waits for what must come.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for until := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			w.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// together calls f n times at once and waits.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-gate
			f(i)
		})
	}
	close(gate)
	all.Wait()
}

// surely repeats a call whose error leaves open whether it was done, as the
// engine does.
func (w *world) surely(call func() error) {
	var err error
	for range 20 {
		if err = call(); err == nil {
			return
		}
	}
	w.Errorf("a call failed 20 times, the last time with: %v", err)
}

// sorted gives ids in their order.
func sorted(ids []tasker.ID) []tasker.ID {
	return slices.SortedFunc(slices.Values(ids), func(a, b tasker.ID) int { return bytes.Compare(a[:], b[:]) })
}

func equal(a, b []tasker.ID) bool { return slices.Equal(sorted(a), sorted(b)) }
