package post

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// A run is over when nothing of it moves any more: each task has ended, is
// blocked, or is parked with nobody to answer. One that waits for another task
// moves as long as that one does.

// work runs the tasks until nothing moves, or until ctx ends, and gives them
// with their sub-tasks after them.
func (r *run) work(ctx context.Context, store tasker.Store, ids []tasker.ID) ([]*tasker.Task, error) {
	if err := r.engine.Start(ctx); err != nil {
		return nil, err
	}
	known := map[tasker.ID]*tasker.Task{}
	failure := r.settleAll(ctx, ids, known)
	for more := failure == nil; more; {
		before := len(ids)
		if ids, failure = r.withSubTasks(context.WithoutCancel(ctx), store, ids); failure != nil {
			break
		}
		more = len(ids) > before
		failure = r.settleAll(ctx, ids[before:], known)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	if err := r.engine.Stop(stop); failure == nil {
		failure = err // where the run has failed, its reason says more
	}
	if failure != nil {
		return nil, failure
	}
	tasks := make([]*tasker.Task, len(ids))
	for i, id := range ids {
		if tasks[i] = known[id]; tasks[i] != nil && tasks[i].State.Final() {
			continue
		}
		var err error
		if tasks[i], err = r.engine.Task(context.WithoutCancel(ctx), id); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

func (r *run) settleAll(ctx context.Context, ids []tasker.ID, known map[tasker.ID]*tasker.Task) error {
	for _, id := range ids {
		task, err := r.settle(ctx, id)
		if err != nil {
			return err
		}
		known[id] = task
	}
	return nil
}

// settle gives a task once it rests; nil when ctx ends before.
func (r *run) settle(ctx context.Context, id tasker.ID) (*tasker.Task, error) {
	for {
		task, err := r.wait(ctx, id)
		if err != nil || task == nil || task.State != tasker.TaskWaiting {
			return task, err
		}
		if moves, err := r.moves(ctx, task); err != nil || !moves {
			return task, err
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// moves answers what a parked task asks, as far as the post knows an answer,
// and says whether anything that it waits for has come or will.
func (r *run) moves(ctx context.Context, task *tasker.Task) (moves bool, err error) {
	for i := range task.Steps {
		s := &task.Steps[i]
		if s.State != tasker.StepWaiting || s.Wait == nil {
			continue
		}
		if !s.Wait.Task.IsZero() {
			other, err := r.settle(ctx, s.Wait.Task)
			if err != nil && !errors.Is(err, tasker.ErrNotFound) {
				return false, err
			}
			moves = moves || other == nil || other.State.Final()
			continue
		}
		if r.post.Answer == nil {
			continue
		}
		answer, by, ok := r.post.Answer(r.world, task, s.Name, s.Wait)
		if !ok {
			continue
		}
		// Refused is who comes second: a person was quicker.
		if _, err := r.engine.Answer(ctx, task.ID, s.Name, answer, by); err != nil && !errors.Is(err, tasker.ErrRefused) && !errors.Is(err, tasker.ErrEnded) {
			return false, err
		}
		moves = true
	}
	return moves, nil
}

// withSubTasks adds the sub-tasks that the run has and ids have not, the
// oldest first.
func (r *run) withSubTasks(ctx context.Context, store tasker.Store, ids []tasker.ID) ([]tasker.ID, error) {
	rows, err := r.rows(ctx, store)
	if err != nil {
		return ids, err
	}
	known := map[tasker.ID]bool{}
	for _, id := range ids {
		known[id] = true
	}
	for i := range rows {
		if !rows[i].Parent.IsZero() && !known[rows[i].ID] {
			ids = append(ids, rows[i].ID)
		}
	}
	return ids, nil
}

// rows are all tasks of the run, the oldest first.
func (r *run) rows(ctx context.Context, store tasker.Store) (all []tasker.Row, err error) {
	for filter := (tasker.Filter{Tag: r.life.tag, Limit: tasker.MaxRows}); ; filter.Before = all[len(all)-1].ID {
		rows, err := store.Rows(ctx, filter)
		if err != nil {
			return nil, err
		}
		if all = append(all, rows...); len(rows) < tasker.MaxRows {
			break
		}
	}
	slices.Reverse(all) // the newest came first
	return all, nil
}

// outage is how long the database may be away while a run waits for it.
const outage = 30 * time.Second

// wait gives a task once it has ended or cannot go on by itself; nil when ctx
// ends before. The engine lives through an outage of the database, so waiting
// does too.
func (r *run) wait(ctx context.Context, id tasker.ID) (*tasker.Task, error) {
	for away := time.Now(); ; {
		asked := time.Now()
		task, err := r.engine.Wait(ctx, id)
		switch {
		case ctx.Err() != nil:
			return task, nil
		case err == nil, errors.Is(err, tasker.ErrNotFound):
			return task, err
		}
		if time.Since(asked) > 2*callLimit {
			away = time.Now() // it answered in between
		}
		if time.Since(away) > outage {
			return nil, noDatabase(fmt.Sprintf("the database has been away for %s: %s", outage, oneLine(err)))
		}
		time.Sleep(watchEvery)
	}
}
