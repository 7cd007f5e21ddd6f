package storetest

import (
	"errors"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tasker-systems/tasker-go/tasker"
)

var submitting = chapter{"submit", []promise{
	{"a new task is pending and wants work, with its first record", newTaskIsStored},
	{"the answers are in the order of the tasks", answersInOrder},
	{"a submit that is repeated stores nothing twice", repeatedSubmit},
	{"a repeated submit answers with the row as it is now", repeatedSubmitIsCurrent},
	{"one task twice in a call is stored once", oneTaskTwice},
	{"an identity belongs to the first task that has it", identityIsTaken},
	{"an identity counts within namespace and name, across versions", identityScope},
	{"tasks without an identity are never the same", noIdentity},
	{"in one call one of equal identities is stored, and all are answered with it", identityWithinCall},
	{"fifty submits at once with one identity make one task, and all get it", identityAtOnce},
	{"calls whose identities cross make one task of each", identitiesCross},
	{"an identity may be taken again after error and cancelled only", retryEnded},
	{"not where this was not asked for", retryNotAllowed},
	{"fifty submits at once after an error make one new task", retryAtOnce},
	{"a task whose template was not saved, and nothing of the call is stored", submitWithoutTemplate},
	{"a call may hold a thousand tasks", largeSubmit},
}}

func newTaskIsStored(w *world) {
	parent := w.submit()
	task := w.task(called("key"), tagged("run"), urgent(7), retryable, childOf(parent))
	task.Row.CorrelationID, task.Row.Environment, task.Row.InputHash = "order 1", "production", hash("input")
	row := w.submitAll(task)[0]
	if diff := cmp.Diff(task.Row, row, cmpopts.IgnoreFields(tasker.Row{}, "State", "WakeAt", "CreatedAt")); diff != "" {
		w.Errorf("the row is not what was given:\n%s", diff)
	}
	log := w.load(row.ID)
	if diff := cmp.Diff(row, log.Row); diff != "" {
		w.Errorf("the row is not what was answered:\n%s", diff)
	}
	if row.State != tasker.TaskPending || row.CreatedAt.IsZero() || row.WakeAt.IsZero() || row.WakeAt.After(log.Now) || row.CreatedAt.After(log.Now) {
		w.Errorf("read at %v the row is %+v", log.Now, row)
	}
	want := task.Record
	want.Seq, want.At = 1, row.CreatedAt
	w.sameRecords([]tasker.Record{want}, log.Records)
	if !w.isOffered(row.ID) {
		w.Error("the task is not offered")
	}
}

func answersInOrder(w *world) {
	taken := w.submit(called("taken"))
	var tasks []tasker.NewTask
	for i := range 20 {
		if i%4 == 1 {
			tasks = append(tasks, w.task(called("taken")))
		} else {
			tasks = append(tasks, w.task())
		}
	}
	for i := range tasks { // neither by id nor by identity
		j := (i * 7) % len(tasks)
		tasks[i], tasks[j] = tasks[j], tasks[i]
	}
	for i, row := range w.submitAll(tasks...) {
		want := tasks[i].Row.ID
		if tasks[i].Row.Identity != "" {
			want = taken
		}
		if row.ID != want {
			w.Errorf("answer %d is %v, want %v", i, row.ID, want)
		}
	}
}

func repeatedSubmit(w *world) {
	plain, named := w.task(), w.task(called("key"))
	first := w.submitAll(plain, named)
	before := []tasker.Log{w.load(plain.Row.ID), w.load(named.Row.ID)}
	together(8, func(int) {
		w.surely(func() error {
			again, err := w.Submit(w.Context(), []tasker.NewTask{named, plain})
			if err == nil && (again[0].ID != first[1].ID || again[1].ID != first[0].ID) {
				w.Error("a repeated submit is answered with other tasks")
			}
			return err
		})
	})
	for _, log := range before {
		w.same(log, w.load(log.Row.ID), "a repeated submit")
	}
	if rows := w.list(tasker.Filter{}); len(rows) != 2 {
		w.Errorf("%d tasks are there, want 2", len(rows))
	}
}

func repeatedSubmitIsCurrent(w *world) {
	task := w.task(called("key"))
	w.submitAll(task)
	w.stores(finishes(w.next(task.Row.ID, nobody), tasker.TaskCancelled))
	for _, again := range []tasker.NewTask{task, w.task(called("key"))} {
		if diff := cmp.Diff(w.row(task.Row.ID), w.submitAll(again)[0]); diff != "" {
			w.Errorf("the answer is not the row as it is now:\n%s", diff)
		}
	}
}

func oneTaskTwice(w *world) {
	task := w.task()
	rows := w.submitAll(task, w.task(), task)
	if rows[0].ID != task.Row.ID || rows[2].ID != task.Row.ID || len(w.load(task.Row.ID).Records) != 1 || len(w.list(tasker.Filter{})) != 2 {
		w.Errorf("the answers are %v, %v and %v", rows[0].ID, rows[1].ID, rows[2].ID)
	}
}

func identityIsTaken(w *world) {
	first := w.submit(called("key"))
	second := w.task(called("key"))
	second.Row.InputHash = hash("other input")
	row := w.submitAll(second)[0]
	if diff := cmp.Diff(w.row(first), row); diff != "" {
		w.Errorf("the answer is not the row of the first task:\n%s", diff)
	}
	if w.exists(second.Row.ID) {
		w.Error("the second task is there")
	}
	if other := w.submit(called("Key")); other == first {
		w.Error("identities that differ in case are taken for one")
	}
}

func identityScope(w *world) {
	w.save(text("shop", "refund", "1.0.0", ""), text("stock", "order", "1.0.0", ""), text("shop", "order", "2.0.0", ""))
	first := w.submit(called("key"))
	for i, same := range []bool{1: false, 2: false, 3: true} {
		if i == 0 {
			continue
		}
		if got := w.submit(called("key"), of(w.texts[i])); (got == first) != same {
			w.Errorf("%s/%s@%s: the first task is answered: %v", w.texts[i].Namespace, w.texts[i].Name, w.texts[i].Version, got == first)
		}
	}
}

func noIdentity(w *world) {
	rows := w.submitAll(w.task(), w.task(), w.task(retryable))
	if rows[0].ID == rows[1].ID || rows[1].ID == rows[2].ID {
		w.Error("tasks without identity are one")
	}
}

func identityWithinCall(w *world) {
	tasks := []tasker.NewTask{w.task(called("b")), w.task(called("a")), w.task(called("b")), w.task(), w.task(called("a")), w.task(called("b"))}
	rows := w.submitAll(tasks...)
	stored := map[string]int{}
	for i := range tasks {
		if w.exists(tasks[i].Row.ID) {
			stored[tasks[i].Row.Identity]++
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "": 1}, stored); diff != "" {
		w.Errorf("other tasks are stored, by identity:\n%s", diff)
	}
	for i, row := range rows {
		if row.Identity != tasks[i].Row.Identity || !w.exists(row.ID) {
			w.Errorf("answer %d has the identity %q, want %q", i, row.Identity, tasks[i].Row.Identity)
		}
	}
	if rows[0].ID != rows[2].ID || rows[0].ID != rows[5].ID || rows[1].ID != rows[4].ID {
		w.Error("equal identities are answered with other tasks")
	}
}

// atOnce submits fifty calls at the same time, each with the identity twice,
// and gives the ids that were answered.
func (w *world) atOnce(changes ...func(*tasker.Row)) map[tasker.ID]int {
	calls := make([][]tasker.NewTask, 50)
	for i := range calls {
		calls[i] = []tasker.NewTask{w.task(), w.task(changes...), w.task(changes...)}
	}
	var mu sync.Mutex
	made := map[tasker.ID]int{}
	together(len(calls), func(i int) {
		w.surely(func() error {
			rows, err := w.Submit(w.Context(), calls[i])
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				made[rows[1].ID]++
				made[rows[2].ID]++
				if rows[0].ID != calls[i][0].Row.ID {
					w.Error("a task without identity is answered with another")
				}
			}
			return err
		})
	})
	return made
}

func identityAtOnce(w *world) {
	if made := w.atOnce(called("key")); len(made) != 1 {
		w.Errorf("the submits are answered with %d tasks", len(made))
	}
	if rows := w.list(tasker.Filter{}); len(rows) != 51 {
		w.Errorf("%d tasks are there, want 51", len(rows))
	}
}

func identitiesCross(w *world) {
	const callers = 8
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	calls := make([][]tasker.NewTask, callers)
	for i := range calls {
		for j := range names {
			calls[i] = append(calls[i], w.task(called(names[(i+j)%len(names)])))
		}
	}
	answers := make([]map[string]tasker.ID, callers)
	together(callers, func(i int) {
		w.surely(func() error {
			rows, err := w.Submit(w.Context(), calls[i])
			answers[i] = map[string]tasker.ID{}
			for _, row := range rows {
				answers[i][row.Identity] = row.ID
			}
			return err
		})
	})
	for i := range answers {
		if diff := cmp.Diff(answers[0], answers[i]); diff != "" {
			w.Errorf("caller %d has other tasks:\n%s", i, diff)
		}
	}
	if rows := w.list(tasker.Filter{}); len(rows) != len(names) {
		w.Errorf("%d tasks are there, want %d", len(rows), len(names))
	}
}

func retryEnded(w *world) {
	k := w.join()
	for state, free := range map[tasker.TaskState]bool{
		tasker.TaskError: true, tasker.TaskCancelled: true, tasker.TaskComplete: false, tasker.TaskResolved: false,
		tasker.TaskPending: false, tasker.TaskBlocked: false,
	} {
		key := called(state.String())
		first := k.has(key, retryable)
		if state.Final() {
			w.stores(finishes(w.next(first, k.id), state))
		} else {
			w.stores(releases(w.next(first, k.id), state, -1))
		}
		second := w.task(key, retryable)
		got := w.submitAll(second)[0].ID
		if (got == second.Row.ID) != free || w.exists(second.Row.ID) != free {
			w.Errorf("%s: a new task is made: %v", state, got == second.Row.ID)
		}
		third := w.submit(key, retryable)
		if third != got {
			w.Errorf("%s: the next submit is answered with a third task", state)
		}
		if again := w.submit(key, retryable, func(r *tasker.Row) { r.ID = first }); again != first {
			w.Errorf("%s: the first submit, repeated, is answered with %v", state, again)
		}
	}
}

func retryNotAllowed(w *world) {
	k := w.join()
	first := k.has(called("key"))
	w.stores(finishes(w.next(first, k.id), tasker.TaskError))
	if got := w.submit(called("key")); got != first {
		w.Error("an identity that is kept for good was taken")
	}
}

func retryAtOnce(w *world) {
	k := w.join()
	first := k.has(called("key"), retryable)
	w.stores(finishes(w.next(first, k.id), tasker.TaskError))
	made := w.atOnce(called("key"), retryable)
	if len(made) != 1 || made[first] > 0 {
		w.Errorf("the submits are answered with %d tasks, the failed one %d times", len(made), made[first])
	}
}

func submitWithoutTemplate(w *world) {
	good, bad := w.task(called("key")), w.task(of(text("shop", "order", "9.9.9", "not saved")))
	if _, err := w.Submit(w.Context(), []tasker.NewTask{good, bad, w.task()}); !errors.Is(err, tasker.ErrNoTemplate) {
		w.Errorf("the error is %v, want ErrNoTemplate", err)
	}
	if rows := w.list(tasker.Filter{}); len(rows) > 0 {
		w.Errorf("%d tasks are there", len(rows))
	}
	w.submitAll(good)
}

func largeSubmit(w *world) {
	tasks := make([]tasker.NewTask, 1000)
	for i := range tasks {
		tasks[i] = w.task()
	}
	for i, row := range w.submitAll(tasks...) {
		if row.ID != tasks[i].Row.ID {
			w.Fatalf("answer %d is %v", i, row.ID)
		}
	}
	if got := len(w.list(tasker.Filter{Limit: 1000})); got != len(tasks) {
		w.Errorf("%d tasks are there", got)
	}
}
