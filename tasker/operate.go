package tasker

import (
	"context"
	"errors"
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// ErrEnded answers an operator whose task has ended already.
var ErrEnded = errors.New("the task has ended")

// By says who does something to a task, and why. Both go into its history.
type By struct{ Actor, Reason string }

// Task reads a task as it stands. [ErrNotFound] when there is none.
func (e *Engine) Task(ctx context.Context, id ID) (*Task, error) {
	log, err := e.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.fold(ctx, log)
}

// Status is the task's [Status] by the store's clock.
func (e *Engine) Status(ctx context.Context, id ID) (Status, error) {
	log, err := e.store.Load(ctx, id)
	if err != nil {
		return Status{}, err
	}
	t, err := e.fold(ctx, log)
	if err != nil {
		return Status{}, err
	}
	return t.Status(log.Now), nil
}

// History reads everything that happened to a task. [ErrNotFound] when there
// is none.
func (e *Engine) History(ctx context.Context, id ID) ([]Record, error) {
	log, err := e.store.Load(ctx, id)
	return log.Records, err
}

// Rows lists tasks, newest first.
func (e *Engine) Rows(ctx context.Context, f Filter) ([]Row, error) { return e.store.Rows(ctx, f) }

func (e *Engine) fold(ctx context.Context, log Log) (*Task, error) {
	text, err := e.textOf(ctx, &log.Row)
	if err != nil {
		return nil, err
	}
	return Fold(text, log)
}

// Cancel ends a task: steps that run see their context end with
// [ErrCancelled] as its cause, and nothing of the task starts any more. It
// needs no worker. [ErrEnded] when the task has ended already.
func (e *Engine) Cancel(ctx context.Context, id ID, by By) error {
	event := Event{Kind: Cancelled, Actor: payload.Text(by.Actor), Reason: payload.Text(by.Reason)}
	for {
		log, err := e.store.Load(ctx, id)
		if err != nil {
			return err
		}
		if s := log.Row.State; s.Final() {
			return fmt.Errorf("cancel task %s, which is %s: %w", id, s, ErrEnded)
		}
		a := Append{
			Task: id, After: int64(len(log.Records)), Change: FinishRow, State: TaskCancelled, WakeIn: -1, Poke: true,
			Record: Record{ID: e.newID(), Events: []Event{event}},
		}
		answers, err := e.store.Append(ctx, []Append{a})
		if err != nil {
			return fmt.Errorf("cancel task %s: %w", id, err)
		}
		if answers[0].Stored {
			if e.config.Observe != nil {
				record := a.Record
				record.Seq, record.At = a.After+1, answers[0].At
				e.config.Observe(log.Row, record)
			}
			return nil
		}
	}
}
