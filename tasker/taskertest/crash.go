package taskertest

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/tasker-systems/tasker-go/tasker"
)

// errCrashed is what a crashed engine gets from its store. A process that was
// killed would get nothing; this one has to be stopped in the end.
var errCrashed = errors.New("taskertest: this engine has crashed")

// mortal is the store as seen by an engine that may crash. Once it has, no
// call comes through any more.
type mortal struct {
	tasker.Store
	dead    context.Context
	crash   func()
	crashOn func(step string) bool // a step of that name has just completed
}

// mortalTransactor is a mortal store that has transactions.
type mortalTransactor struct {
	*mortal
	transactor tasker.Transactor
}

// makeMortal puts a mortal store into the configuration, and a middleware
// that ends the contexts of handlers with the crash. Where both are there
// already, it finds them.
func makeMortal(config *tasker.Config) *mortal {
	switch s := config.Store.(type) {
	case *mortal:
		return s
	case *mortalTransactor:
		return s.mortal
	}
	dead, crash := context.WithCancelCause(context.Background())
	m := &mortal{
		Store: config.Store, dead: dead,
		crash:   func() { crash(errCrashed) },
		crashOn: func(string) bool { return false },
	}
	config.Middleware = append([]tasker.Middleware{m.end}, config.Middleware...)
	config.Store = m
	if transactor, ok := m.Store.(tasker.Transactor); ok {
		config.Store = &mortalTransactor{m, transactor}
	}
	return m
}

// end ends a handler's context with the crash, and begins none after it.
func (m *mortal) end(next tasker.Runner) tasker.Runner {
	return func(ctx context.Context) (any, error) {
		if m.dead.Err() != nil {
			return nil, errCrashed
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(m.dead, func() { cancel(errCrashed) })()
		return next(ctx)
	}
}

// writer writes until the crash. What a dead engine logs is about being dead.
func (m *mortal) writer(to io.Writer) io.Writer { return &lastWords{m, to} }

type lastWords struct {
	mortal *mortal
	to     io.Writer
}

func (w *lastWords) Write(p []byte) (int, error) {
	if w.mortal.dead.Err() != nil {
		return len(p), nil
	}
	return w.to.Write(p)
}

// CrashAfter crashes the engine once it has stored that the step is complete,
// before it hears of that itself. What follows from the step may have been
// recorded as started; it was not. It happens once, whichever task is the
// first: the engine of [Engine.TakeOver] lives. Every engine that is to crash
// wants an option of its own, so none is shared by the tests of a table.
func CrashAfter(step string) Option {
	var spent atomic.Bool
	return func(config *tasker.Config) {
		m := makeMortal(config)
		others := m.crashOn
		m.crashOn = func(completed string) bool {
			return others(completed) || completed == step && spent.CompareAndSwap(false, true)
		}
	}
}

// CrashIn crashes the engine once the step has done its work, before anything
// of that is recorded: the moment at which money has moved and nobody knows.
// As with [CrashAfter], it happens once.
func CrashIn(step string) Option {
	var spent atomic.Bool
	return func(config *tasker.Config) {
		m := makeMortal(config)
		fault(step, func(ctx context.Context, next tasker.Runner) (any, error) {
			result, err := next(ctx)
			if spent.CompareAndSwap(false, true) {
				m.crash()
			}
			return result, err
		})(config)
	}
}

// stored crashes the engine if it is to, after an append of one of the events.
func (m *mortal) stored(appended tasker.Appended, events []tasker.Event) {
	for i := range events {
		if appended.Stored && events[i].Kind == tasker.Completed && m.crashOn(named(events[i].Step, events[i].Undo)) {
			m.crash()
		}
	}
}

// alive makes a call, unless the engine is dead before it or by its end. The
// call itself is not cut short: whether the last one of a process that is
// killed comes through is not known either.
func alive[T any](m *mortal, call func() (T, error)) (T, error) {
	var nothing T
	if m.dead.Err() != nil {
		return nothing, errCrashed
	}
	answer, err := call()
	if m.dead.Err() != nil {
		return nothing, errCrashed
	}
	return answer, err
}

func (m *mortal) Append(ctx context.Context, appends []tasker.Append) ([]tasker.Appended, error) {
	return alive(m, func() ([]tasker.Appended, error) {
		answers, err := m.Store.Append(ctx, appends)
		for i := range answers {
			m.stored(answers[i], appends[i].Record.Events)
		}
		return answers, err
	})
}

func (m *mortalTransactor) Transact(ctx context.Context, work func(context.Context) (tasker.Append, error)) (tasker.Appended, error) {
	return alive(m.mortal, func() (tasker.Appended, error) {
		var events []tasker.Event
		answer, err := m.transactor.Transact(ctx, func(ctx context.Context) (tasker.Append, error) {
			a, err := work(ctx)
			if m.dead.Err() != nil {
				return a, errCrashed // a transaction ends with its connection
			}
			events = a.Record.Events
			return a, err
		})
		m.stored(answer, events)
		return answer, err
	})
}

func (m *mortal) SaveTemplates(ctx context.Context, templates []tasker.StoredTemplate, beside bool) ([]tasker.StoredTemplate, error) {
	return alive(m, func() ([]tasker.StoredTemplate, error) { return m.Store.SaveTemplates(ctx, templates, beside) })
}

func (m *mortal) Templates(ctx context.Context) ([]tasker.StoredTemplate, error) {
	return alive(m, func() ([]tasker.StoredTemplate, error) { return m.Store.Templates(ctx) })
}

func (m *mortal) Submit(ctx context.Context, tasks []tasker.NewTask) ([]tasker.Row, error) {
	return alive(m, func() ([]tasker.Row, error) { return m.Store.Submit(ctx, tasks) })
}

func (m *mortal) Load(ctx context.Context, task tasker.ID) (tasker.Log, error) {
	return alive(m, func() (tasker.Log, error) { return m.Store.Load(ctx, task) })
}

func (m *mortal) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	return alive(m, func() (tasker.Candidates, error) { return m.Store.Candidates(ctx, q) })
}

func (m *mortal) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	return alive(m, func() (tasker.Pulse, error) { return m.Store.Beat(ctx, b) })
}

func (m *mortal) Leave(ctx context.Context, worker tasker.ID) error {
	_, err := alive(m, func() (struct{}, error) { return struct{}{}, m.Store.Leave(ctx, worker) })
	return err
}

func (m *mortal) Purge(ctx context.Context, terms tasker.Retention, limit int) (int, error) {
	return alive(m, func() (int, error) { return m.Store.Purge(ctx, terms, limit) })
}

func (m *mortal) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	return alive(m, func() ([]tasker.Row, error) { return m.Store.Rows(ctx, f) })
}

func (m *mortal) Listen(hint func(tasker.Hint)) (stop func()) {
	return m.Store.Listen(func(h tasker.Hint) {
		if m.dead.Err() == nil {
			hint(h)
		}
	})
}
