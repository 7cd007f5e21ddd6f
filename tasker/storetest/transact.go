package storetest

import (
	"context"
	"errors"

	"github.com/tasker-systems/tasker-go/tasker"
)

var transacting = chapter{"transact", []promise{
	{"what is submitted inside stands once the record does", transactionStands},
	{"work's error rolls back, and comes back as it is", workFails},
	{"a refused append rolls back, and is answered as refused", transactionRefused},
	{"its append does all that an append does", transactionAppends},
	{"a submit inside is answered with the task that has the identity", transactionIdentity},
	{"a transaction whose context has ended says so and stores nothing", transactionEnded},
	{"of many transactions at one position one stands", transactionsAtOnce},
}}

// transactor is the store if it has transactions; the case is skipped if not.
func (w *world) transactor() tasker.Transactor {
	w.Helper()
	s, ok := w.Store.(tasker.Transactor)
	if !ok {
		w.Skip("the store has no transactions")
	}
	return s
}

// submittingWork is work that submits a task and asks for an append.
func submittingWork(s tasker.Store, task tasker.NewTask, a tasker.Append, err error) func(context.Context) (tasker.Append, error) {
	return func(ctx context.Context) (tasker.Append, error) {
		if _, err := s.Submit(ctx, []tasker.NewTask{task}); err != nil {
			return a, err
		}
		return a, err
	}
}

func transactionStands(w *world) {
	s := w.transactor()
	k := w.join()
	task := k.has()
	inside, a := w.task(), w.next(task, k.id)
	answer, err := s.Transact(w.Context(), submittingWork(s, inside, a, nil))
	if err != nil || !answer.Stored {
		w.Fatalf("stored: %v, %v", answer.Stored, err)
	}
	log := w.load(task)
	if len(log.Records) != 3 || log.Records[2].ID != a.Record.ID || !log.Records[2].At.Equal(answer.At) {
		w.Errorf("the log is %v", idsOf(log.Records))
	}
	if !w.exists(inside.Row.ID) || !w.isOffered(inside.Row.ID) {
		w.Error("the task that was submitted inside is not there")
	}
}

func workFails(w *world) {
	s := w.transactor()
	k := w.join()
	task := k.has()
	before, inside := w.load(task), w.task()
	mine := errors.New("mine")
	if _, err := s.Transact(w.Context(), submittingWork(s, inside, w.next(task, k.id), mine)); !errors.Is(err, mine) {
		w.Errorf("the error is %v, want work's own", err)
	}
	w.same(before, w.load(task), "work that fails")
	if w.exists(inside.Row.ID) {
		w.Error("the task that was submitted inside is there")
	}
}

func transactionRefused(w *world) {
	s := w.transactor()
	k := w.join()
	task := k.has()
	late, inside := w.next(task, k.id), w.task()
	w.stores(w.next(task, k.id))
	before := w.load(task)
	if answer, err := s.Transact(w.Context(), submittingWork(s, inside, late, nil)); err != nil || answer.Stored {
		w.Errorf("stored: %v, %v; want it refused without an error", answer.Stored, err)
	}
	w.same(before, w.load(task), "a refused transaction")
	if w.exists(inside.Row.ID) {
		w.Error("the task that was submitted inside is there")
	}
	w.submitAll(inside)
}

func transactionAppends(w *world) {
	s := w.transactor()
	k := w.join()
	parent := k.has()
	task := k.has(childOf(parent))
	child := w.task(childOf(task))
	end := withChild(finishes(w.next(task, k.id), tasker.TaskComplete), child)
	answer, err := s.Transact(w.Context(), func(context.Context) (tasker.Append, error) { return end, nil })
	if err != nil || !answer.Stored {
		w.Fatalf("stored: %v, %v", answer.Stored, err)
	}
	if row := w.row(task); row.State != tasker.TaskComplete || row.Owner != nobody || !w.exists(child.Row.ID) {
		w.Errorf("the row is %+v, the child is there: %v", row, w.exists(child.Row.ID))
	}
	if w.row(parent).Poke == 0 {
		w.Error("the parent was not poked")
	}
}

func transactionIdentity(w *world) {
	s := w.transactor()
	k := w.join()
	task := k.has()
	first := w.submit(called("key"))
	a := w.next(task, k.id)
	answer, err := s.Transact(w.Context(), func(ctx context.Context) (tasker.Append, error) {
		rows, err := s.Submit(ctx, []tasker.NewTask{w.task(called("key")), w.task(called("other"))})
		if err == nil && (rows[0].ID != first || rows[1].Identity != "other") {
			w.Errorf("the answers are %v and %v", rows[0].ID, rows[1].ID)
		}
		return a, err
	})
	if err != nil || !answer.Stored {
		w.Errorf("stored: %v, %v", answer.Stored, err)
	}
}

func transactionEnded(w *world) {
	s := w.transactor()
	k := w.join()
	task := k.has()
	before, inside := w.load(task), w.task()
	ctx, cancel := context.WithCancel(w.Context())
	a := w.next(task, k.id)
	_, err := s.Transact(ctx, func(ctx context.Context) (tasker.Append, error) {
		_, err := s.Submit(ctx, []tasker.NewTask{inside})
		cancel()
		return a, err
	})
	if !errors.Is(err, context.Canceled) {
		w.Errorf("the error is %v", err)
	}
	w.eventually("the transaction is over", func() bool { return w.append(w.next(task, k.id)).Stored })
	if after := w.load(task); len(after.Records) != len(before.Records)+1 || w.exists(inside.Row.ID) {
		w.Errorf("%d records are stored, the task that was submitted inside is there: %v", len(after.Records)-len(before.Records)-1, w.exists(inside.Row.ID))
	}
}

func transactionsAtOnce(w *world) {
	const n = 6
	s := w.transactor()
	k := w.join()
	task := k.has()
	inside, appends := make([]tasker.NewTask, n), make([]tasker.Append, n)
	for i := range inside {
		inside[i], appends[i] = w.task(), w.next(task, k.id)
	}
	together(n, func(i int) {
		w.surely(func() error {
			_, err := s.Transact(w.Context(), submittingWork(s, inside[i], appends[i], nil))
			return err
		})
	})
	log := w.load(task)
	if len(log.Records) != 3 {
		w.Fatalf("%d records are stored", len(log.Records)-2)
	}
	for i := range inside {
		if mine := log.Records[2].ID == appends[i].Record.ID; w.exists(inside[i].Row.ID) != mine {
			w.Errorf("transaction %d stands: %v; its task is there: %v", i, mine, !mine)
		}
	}
}
