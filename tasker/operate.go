package tasker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/payload"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// What operators are told when what they ask for cannot be done.
var (
	ErrEnded   = errors.New("the task has ended")
	ErrNoStep  = errors.New("the task has no such step")
	ErrRefused = errors.New("that cannot be done now") // the step or the task is in the wrong state for it
)

// By says who does something to a task, and why. Both go into its history; the
// actor has at most [MaxKey] bytes, the reason [MaxErrorText].
type By struct{ Actor, Reason string }

func (by By) check() error {
	switch {
	case len(by.Actor) > MaxKey:
		return fmt.Errorf("the actor has %d bytes; the limit is %d", len(by.Actor), MaxKey)
	case len(by.Reason) > MaxErrorText:
		return fmt.Errorf("the reason has %d bytes; the limit is %d", len(by.Reason), MaxErrorText)
	}
	return nil
}

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

// How says what else an operator's cancelling does.
type How uint8

// The ways to cancel.
const (
	WithChildren How = iota + 1 // its sub-tasks are cancelled too, and theirs
	WithUndo                    // what its steps did is undone, as far as they say how
)

// Cancel ends a task: steps that run see their context end with
// [ErrCancelled] as its cause, and nothing of the task starts any more. It
// needs no worker. [WithUndo], steps that run are waited for, and the task
// has ended once all is undone, which needs one. [ErrEnded] when the task has
// ended already, and so have its children where those are asked for;
// [ErrRefused] when it is being undone.
func (e *Engine) Cancel(ctx context.Context, id ID, by By, how ...How) error {
	_, err := e.steer(ctx, id, "cancel", by, func(t *Task) ([]Event, error) {
		if t.undoing || t.cancelled {
			return nil, errors.New("it is being undone already, and ends by itself; a step whose undoing fails can be retried or resolved")
		}
		return []Event{{Kind: Cancelled, Undo: slices.Contains(how, WithUndo)}}, nil
	})
	if !slices.Contains(how, WithChildren) || err != nil && !errors.Is(err, ErrEnded) {
		return err
	}
	cancelled, childErr := e.cancelChildren(ctx, id, by, how)
	if cancelled > 0 || childErr != nil {
		return childErr
	}
	return err
}

// cancelChildren cancels the sub-tasks that have not ended, and tells how many
// these were.
func (e *Engine) cancelChildren(ctx context.Context, parent ID, by By, how []How) (cancelled int, err error) {
	page := Filter{Parent: parent, Limit: MaxRows}
	for {
		rows, err := e.store.Rows(ctx, page)
		if err != nil || len(rows) == 0 {
			return cancelled, err
		}
		for i := range rows {
			switch err := e.Cancel(ctx, rows[i].ID, by, how...); {
			case err == nil:
				cancelled++
			case !errors.Is(err, ErrEnded) && !errors.Is(err, ErrRefused):
				return cancelled, fmt.Errorf("sub-task of %s: %w", parent, err)
			}
		}
		page.Before = rows[len(rows)-1].ID
	}
}

// RetryTask gives a task that is blocked by failures another chance: every
// step in error may be tried as often as at first, and where the task is past
// its time, that begins anew. What failed and was optional stays as it is.
func (e *Engine) RetryTask(ctx context.Context, id ID, by By) (*Task, error) {
	return e.steer(ctx, id, "retry", by, func(t *Task) (events []Event, err error) {
		if t.expired && !t.undoing {
			events = append(events, Event{Kind: RetriedByHand})
		}
		for i := range t.Steps {
			if p := t.progress(i); p != nil && p.State == StepError && !(t.template.Steps[i].Optional && !t.undoing) {
				events = append(events, t.event(RetriedByHand, i))
			}
		}
		if len(events) == 0 {
			return nil, fmt.Errorf("nothing of it has failed for good; it is %s", t.State)
		}
		return events, nil
	})
}

// RetryStep gives a step in error another chance, with as many attempts as at
// first and its questions asked anew; a step that waits for its next attempt
// has it now. In a task that is being undone, it is the step's undoing that
// is retried; so it is with the other methods about steps.
func (e *Engine) RetryStep(ctx context.Context, id ID, step string, by By) (*Task, error) {
	return e.steerStep(ctx, id, step, Event{Kind: RetriedByHand}, by)
}

// Answer gives the answer that a step waits for: what [Ask] returns there.
// [ErrRefused] when the step does not wait for an answer, or no longer.
func (e *Engine) Answer(ctx context.Context, id ID, step string, answer any, by By) (*Task, error) {
	raw, err := payload.Encode(answer)
	if err != nil {
		return nil, fmt.Errorf("%s task %s: the answer cannot be stored: %w", toStep("answer", step), id, err)
	}
	return e.steer(ctx, id, toStep("answer", step), by, func(t *Task) ([]Event, error) {
		i, err := t.stepNamed(step)
		if err != nil {
			return nil, err
		}
		wait := t.Steps[i].Wait
		switch {
		case wait == nil:
			return nil, fmt.Errorf("the step waits for no answer; it is %s", t.Steps[i].State)
		case !wait.Task.IsZero():
			return nil, fmt.Errorf("the step waits for %s, and not for an answer", wait)
		}
		event := t.event(Answered, i)
		event.Result, event.Wait = raw, &Wait{Name: wait.Name}
		return []Event{event}, nil
	})
}

// CompleteStep gives a step its result by hand, from any state but those
// that are done. A handler that runs is told to end, and what it returns
// changes nothing.
func (e *Engine) CompleteStep(ctx context.Context, id ID, step string, result any, by By) (*Task, error) {
	raw, err := payload.Encode(result)
	if err != nil {
		return nil, fmt.Errorf("%s task %s: the result cannot be stored: %w", toStep("complete", step), id, err)
	}
	return e.steerStep(ctx, id, step, Event{Kind: CompletedByHand, Result: raw}, by)
}

// FailStep fails a step for good by hand: why is its error, or, when nil,
// FAILED_BY_HAND with the operator's reason. The task then goes on by its
// on_failure.
func (e *Engine) FailStep(ctx context.Context, id ID, step string, why *Error, by By) (*Task, error) {
	if why == nil {
		why = Permanent(CodeByHand, "%s", by.Reason)
	}
	why = &Error{Kind: KindPermanent, Code: why.Code, Message: why.Message, Context: why.Context}
	return e.steerStep(ctx, id, step, Event{Kind: FailedByHand, Error: why.storable()}, by)
}

// ResolveStep takes a step on the operator: it counts as done, without a
// result. A step that needs its result fails with HANDLER_INPUT; one that
// leaves it out, or takes it by a pointer, goes on.
func (e *Engine) ResolveStep(ctx context.Context, id ID, step string, by By) (*Task, error) {
	return e.steerStep(ctx, id, step, Event{Kind: ResolvedByHand}, by)
}

// ResolveTask takes a task on the operator: it ends as resolved_manually, and
// nothing of it is run or undone any more.
func (e *Engine) ResolveTask(ctx context.Context, id ID, by By) (*Task, error) {
	return e.steer(ctx, id, "resolve", by, func(*Task) ([]Event, error) {
		return []Event{{Kind: ResolvedByHand}}, nil
	})
}

// steerStep does one thing to one step, from the states that the table allows.
func (e *Engine) steerStep(ctx context.Context, id ID, step string, event Event, by By) (*Task, error) {
	return e.steer(ctx, id, toStep(verbs[event.Kind], step), by, func(t *Task) ([]Event, error) {
		i, err := t.stepNamed(step)
		if err != nil {
			return nil, err
		}
		p, what := t.progress(i), "the step"
		if t.undoing {
			what = "the undoing of the step"
		}
		switch {
		case p == nil:
			return nil, fmt.Errorf("the task is being undone, and the step is not: it is %s", t.Steps[i].State)
		case !stepTable[p.State][event.Kind].legal:
			return nil, fmt.Errorf("%s is %s, and it must be %s", what, p.State, strings.Join(statesBefore(event.Kind), " or "))
		}
		about := t.event(event.Kind, i)
		about.Result, about.Error = event.Result, event.Error
		return []Event{about}, nil
	})
}

// toStep is what is done to a step, for errors. A name may be of any length.
func toStep(verb, step string) string { return fmt.Sprintf("%s step %.255s of", verb, step) }

var verbs = map[EventKind]string{RetriedByHand: "retry", CompletedByHand: "complete", FailedByHand: "fail", ResolvedByHand: "resolve"}

// statesBefore names the states from which a kind of event may happen.
func statesBefore(kind EventKind) (names []string) {
	for _, t := range StepTransitions {
		if t.On == kind {
			names = append(names, t.From.String())
		}
	}
	return names
}

func (t *Task) stepNamed(name string) (int, error) {
	i, ok := t.template.Graph().Index[name]
	if !ok {
		var names []string
		for i := range t.Steps {
			names = append(names, t.Steps[i].Name)
		}
		return 0, fmt.Errorf("%w %.255q%s", ErrNoStep, name, template.Suggest(name, names))
	}
	return i, nil
}

// steer appends what an operator does to a task, with every consequence that
// needs no handler, and wakes whoever has the rest to do. It decides on what
// the log says: where somebody was quicker, it reads and decides again.
func (e *Engine) steer(ctx context.Context, id ID, verb string, by By, decide func(*Task) ([]Event, error)) (*Task, error) {
	sent := map[ID]*flight{} // by record
	fail := func(err error) (*Task, error) { return nil, fmt.Errorf("%s task %s: %w", verb, id, err) }
	if err := by.check(); err != nil {
		return fail(err)
	}
	for unclear := error(nil); ; {
		log, err := e.store.Load(ctx, id)
		if err != nil {
			return fail(errors.Join(unclear, err))
		}
		t, err := e.fold(ctx, log)
		if err != nil {
			return fail(err)
		}
		log.Row.Trace = t.Trace
		for _, r := range log.Records {
			if f := sent[r.ID]; f != nil { // the answer to our append was lost
				e.recorded(&log.Row, f, r.Seq, r.At)
				return t, nil
			}
		}
		if t.State.Final() {
			return fail(fmt.Errorf("%w: it is %s", ErrEnded, t.State))
		}
		events, err := t.steered(log.Now, by, decide)
		if err != nil {
			return fail(err)
		}
		f := e.steering(t, &log, events)
		sent[f.append.Record.ID] = f
		answers, err := e.store.Append(ctx, []Append{f.append})
		switch {
		case err != nil && (unclear != nil || ctx.Err() != nil):
			return fail(fmt.Errorf("whether it is done is not known: %w", err))
		case err != nil:
			unclear = err
		case answers[0].Stored:
			e.recorded(&log.Row, f, t.seq+1, answers[0].At)
			return t, nil
		}
	}
}

// steering makes the append of what an operator has done to a task, and says
// what becomes of its row where nobody owns it.
func (e *Engine) steering(t *Task, log *Log, events []Event) *flight {
	published := e.publish(t, &log.Row, events)
	a := Append{
		Task: t.ID, After: t.seq, Record: Record{ID: e.newID(), Events: events}, Events: durable(published),
		Change: SteerRow, State: t.State, Poke: true, WakeIn: -1,
	}
	switch n := t.next(log.Now); {
	case t.State.Final():
		a.Change = FinishRow
	case len(n.start) > 0 || n.event != nil || t.isUnderWay() || len(t.awaited()) > 0:
		a.WakeIn = 0 // also where attempts are under way: if nobody has the task, they are lost
	case !n.wake.IsZero():
		a.WakeIn = max(0, n.wake.Sub(log.Now))
	}
	return &flight{append: a, events: published}
}

// steered folds what an operator does, and what follows from it, into the
// task. What time has brought by now comes first.
func (t *Task) steered(now time.Time, by By, decide func(*Task) ([]Event, error)) (events []Event, err error) {
	follow := func() error {
		for n := t.next(now); n.event != nil; n = t.next(now) {
			if n.event.Kind == Failed && !t.waits(n.event.Step).Task.IsZero() {
				return nil // whether the awaited task ended in time is for a worker to find out
			}
			if err := t.happen(n.event, now); err != nil {
				return err
			}
			events = append(events, *n.event)
		}
		return nil
	}
	if err := follow(); err != nil {
		return nil, err
	}
	if t.State.Final() {
		return nil, fmt.Errorf("%w: it is %s, its time is over", ErrEnded, t.State)
	}
	chosen, err := decide(t)
	if err != nil {
		if !errors.Is(err, ErrNoStep) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, err
	}
	for _, e := range chosen {
		if t.bytes+len(e.Result) > MaxTaskBytes {
			return nil, fmt.Errorf("%w: with this the task is larger than %d bytes", ErrRefused, MaxTaskBytes)
		}
		e.Actor, e.Reason = payload.Text(by.Actor), payload.Text(by.Reason)
		if err := t.happen(&e, now); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, follow()
}

func (t *Task) waits(step string) *Wait { return t.Steps[t.template.Graph().Index[step]].Wait }

// recorded tells of a record that is stored at a position of its task's log,
// and of the domain events that follow from it.
func (e *Engine) recorded(row *Row, f *flight, seq int64, at time.Time) {
	e.observed(row, f.append.Record, seq, at)
	e.published(f.events, at)
}

// observed tells the observer of a record that was stored.
func (e *Engine) observed(row *Row, r Record, seq int64, at time.Time) {
	if e.config.Observe == nil {
		return
	}
	r.Seq, r.At = seq, at
	defer e.survive("the observer")
	e.config.Observe(*row, r)
}
