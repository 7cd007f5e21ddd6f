package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Step makes a handler whose writes and whose record are one transaction: what
// f writes through tx is kept if, and only if, the step's success is. It does
// what [tasker.Step] does besides.
//
// A run holds a connection and must be short: it is given a third of the
// worker's lease at most. Tasks that f submits with its ctx are part of the
// transaction too. f must neither commit nor roll back. What it does
// elsewhere, such as an HTTP call, is not undone, and needs [tasker.Key] as
// ever.
func Step[In, Out any](f func(ctx context.Context, tx pgx.Tx, in In) (Out, error)) tasker.Handler {
	return tasker.Step(func(ctx context.Context, in In) (Out, error) {
		t := transactionOf(ctx)
		if t == nil {
			var none Out
			return none, tasker.Permanent("NO_TRANSACTION", "the handler wants a transaction, and its context has none")
		}
		return f(ctx, t.tx, in)
	}).InTransaction()
}

// transaction is what the context of a transactional step carries.
type transaction struct {
	tx        pgx.Tx
	submitted bool
}

type transactionKey struct{}

func transactionOf(ctx context.Context) *transaction {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	return t
}

var errRefused = errors.New("the append was refused")

// Transact implements [tasker.Transactor].
func (s *Store) Transact(ctx context.Context, work func(ctx context.Context) (tasker.Append, error)) (tasker.Appended, error) {
	var answer tasker.Appended
	var hints []tasker.Hint
	t := &transaction{}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		t.tx = tx
		a, err := work(context.WithValue(ctx, transactionKey{}, t))
		if err != nil {
			return &workError{err}
		}
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		answers, more, err := s.append(ctx, tx, []tasker.Append{a})
		if err != nil {
			return err
		}
		if answer, hints = answers[0], more; !answer.Stored {
			return errRefused
		}
		return nil
	})
	var failed *workError
	switch {
	case errors.As(err, &failed):
		return tasker.Appended{}, failed.err
	case errors.Is(err, errRefused):
		return tasker.Appended{}, nil
	case err != nil:
		return tasker.Appended{}, fmt.Errorf("transact: %w", s.told("append", err))
	}
	if t.submitted {
		hints = append(hints, tasker.Hint{Kind: tasker.HintWork})
	}
	s.ears.tell(hints...)
	return answer, nil
}

// workError tells work's own errors from the database's.
type workError struct{ err error }

func (e *workError) Error() string { return e.err.Error() }
