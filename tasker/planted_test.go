package tasker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// These tests see bugs that no other test saw when tasker/plantings planted
// them.

// overtake stores a record of somebody else's, and pokes for it.
func overtake(t *testing.T, store tasker.Store, id tasker.ID) {
	t.Helper()
	log, err := store.Load(t.Context(), id)
	if err != nil {
		t.Error(err)
		return
	}
	_, err = store.Append(t.Context(), []tasker.Append{{
		Task: id, After: int64(len(log.Records)), WakeIn: -1, Poke: true,
		Record: tasker.Record{ID: tasker.ID{1}, Events: []tasker.Event{{Kind: tasker.Submitted, Context: log.Records[0].Events[0].Context}}},
	}})
	if err != nil {
		t.Error(err)
	}
}

// Every append takes effect and none is answered, until the worker gives the
// task up. It has beaten meanwhile, so the task is still its own.
func TestATaskWhoseClaimWasNeverAnsweredIsAdopted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lease = 6 * time.Second
		silent := time.Now().Add(lease)
		store := &between{Store: memory.New(), append: func(_ []tasker.Append, pass pass) ([]tasker.Appended, error) {
			answers, err := pass()
			if !time.Now().After(silent) {
				return nil, errCut
			}
			return answers, err
		}}
		s := start(t, `steps: [{name: a, handler: {callable: a}}]`, tasker.Handlers{"a": fine}, func(c *tasker.Config) { c.Store, c.Lease = store, lease })
		task := s.waits(s.submit())
		if a := task.Steps[0]; a.State != tasker.StepComplete || a.Attempts != 1 || a.LostAttempts != 1 {
			t.Errorf("a is %s after %d attempts and %d lost ones", a.State, a.Attempts, a.LostAttempts)
		}
	})
}

func TestAnAttemptIsOnRecordBeforeItsHandlerBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &between{Store: memory.New(), append: slow}
		var runs atomic.Int32
		look := doing(func(ctx context.Context) error {
			runs.Add(1)
			at := tasker.Current(ctx)
			log, err := store.Load(ctx, at.TaskID)
			if err != nil {
				t.Error(err)
			}
			isStart := func(e tasker.Event) bool {
				return e.Kind == tasker.Started && e.Step == at.Step && e.Attempt == at.Number
			}
			if !slices.ContainsFunc(log.Records, func(r tasker.Record) bool { return slices.ContainsFunc(r.Events, isStart) }) {
				t.Errorf("attempt %d of %s runs and is not in the log", at.Number, at.Step)
			}
			if at.Number == 1 {
				return errors.New("again")
			}
			return nil
		})
		s := start(t, `
steps:
  - {name: a, handler: {callable: look}, retry: {limit: 2, backoff_base_ms: 10}}
  - {name: b, handler: {callable: look}, retry: {limit: 2, backoff_base_ms: 10}, dependencies: [a]}`,
			tasker.Handlers{"look": look}, func(c *tasker.Config) { c.Store = store })
		if task := s.waits(s.submit()); task.State != tasker.TaskComplete || runs.Load() != 4 {
			t.Errorf("the task is %s after %d runs", task.State, runs.Load())
		}
	})
}

func TestAPokeIsLookedIntoWhileAHandlerRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lease = 6 * time.Second
		store := &between{Store: memory.New(), append: straight}
		s := start(t, `steps: [{name: a, handler: {callable: a}}]`,
			tasker.Handlers{"a": doing(func(context.Context) error { time.Sleep(30 * time.Second); return nil })},
			func(c *tasker.Config) { c.Store, c.Lease = store, lease })
		id := s.submit()
		time.Sleep(time.Second)
		overtake(t, store.Store, id)
		time.Sleep(lease)
		if store.loads.Load() == 0 {
			t.Errorf("%v after the poke the worker has not read the task", lease)
		}
		if a := s.waits(id).Steps[0]; a.State != tasker.StepComplete || a.Attempts != 1 || a.LostAttempts != 0 {
			t.Errorf("a is %s after %d attempts and %d lost ones", a.State, a.Attempts, a.LostAttempts)
		}
	})
}

func TestTheObserverSeesWhatIsStoredAndNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var overtaken atomic.Bool
		store := &between{Store: memory.New()}
		store.append = func(appends []tasker.Append, pass pass) ([]tasker.Appended, error) {
			if appends[0].Record.Events[0].Kind == tasker.Completed && overtaken.CompareAndSwap(false, true) {
				overtake(t, store.Store, appends[0].Task)
			}
			return pass()
		}
		observer := witness{t: t}
		s := start(t, "steps:\n  - {name: a, handler: {callable: a}}\n  - {name: b, handler: {callable: a}, dependencies: [a]}\n",
			tasker.Handlers{"a": fine}, func(c *tasker.Config) { c.Store, c.Observe = store, observer.observe })
		id := s.submit()
		if task := s.waits(id); task.State != tasker.TaskComplete || !overtaken.Load() {
			t.Fatalf("the task is %s, overtaken: %t", task.State, overtaken.Load())
		}
		synctest.Wait()
		log, err := s.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		observer.sawAll(log)
	})
}

// Its record is stored, the answer is lost, and the operator is quicker than
// its second try.
func TestARecordThatWasStoredIsSeenThoughAnOperatorHasEndedTheTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var observer witness
		var cut atomic.Bool
		store := &between{Store: memory.New()}
		operator := open(t, oneQuestion, tasker.Handlers{"ask": fine, "pay": fine}, func(c *tasker.Config) { c.Store = store.Store })
		store.append = func(appends []tasker.Append, pass pass) ([]tasker.Appended, error) {
			answers, err := pass()
			if appends[0].Record.Events[0].Kind == tasker.Completed && cut.CompareAndSwap(false, true) {
				if err := operator.Cancel(t.Context(), appends[0].Task, ops); err != nil {
					t.Error(err)
				}
				return nil, errCut
			}
			return answers, err
		}
		observer.t = t
		s := start(t, oneQuestion, tasker.Handlers{"ask": fine, "pay": fine}, func(c *tasker.Config) { c.Store, c.Observe = store, observer.observe })
		id := s.submit()
		if task := s.waits(id); task.State != tasker.TaskCancelled {
			t.Fatalf("the task is %s", task.State)
		}
		time.Sleep(time.Second) // for the second try
		log, err := s.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		observer.sawAll(log)
	})
}

func TestAStopTakesBackWhatNoHandlerHasSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &between{Store: memory.New(), append: slow}
		var runs atomic.Int32
		handlers := tasker.Handlers{"a": doing(func(context.Context) error { runs.Add(1); return nil })}
		const source = `steps: [{name: a, handler: {callable: a}, retry: {retryable: false}}]`
		first := open(t, source, handlers, func(c *tasker.Config) { c.Store = store })
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := first.submit()
		time.Sleep(time.Second / 2) // the claim with the start is under way
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := first.task(id).Steps[0]; runs.Load() != 0 || a.State != tasker.StepPending || a.Attempts != 0 {
			t.Errorf("after the stop a has run %d times and is %s after %d attempts", runs.Load(), a.State, a.Attempts)
		}
		second := start(t, source, handlers, func(c *tasker.Config) { c.Store = store })
		if a := second.waits(id).Steps[0]; a.State != tasker.StepComplete || a.Attempts != 1 || a.LostAttempts != 0 {
			t.Errorf("in the end a is %s after %d attempts and %d lost ones", a.State, a.Attempts, a.LostAttempts)
		}
	})
}

func TestAFlushIsCutWhereItIsLargeWhateverMakesItSo(t *testing.T) {
	t.Parallel()
	const part, most = 500 << 10, 5 << 20
	big := strings.Repeat("x", part)
	for name, handler := range map[string]tasker.Handler{
		"results":           giving(big),
		"notes":             doing(func(ctx context.Context) error { tasker.Annotate(ctx, "note", big); return nil }),
		"figures of errors": doing(func(context.Context) error { return tasker.Retryable("NO", "no").With("figure", big) }),
		"questions": doing(func(ctx context.Context) error {
			_, err := tasker.Ask[string](ctx, tasker.Question{Prompt: big})
			return err
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var largest atomic.Int64
				store := &between{Store: memory.New(), append: func(appends []tasker.Append, pass pass) ([]tasker.Appended, error) {
					size := int64(0)
					for i := range appends {
						size += int64(len(tasker.AppendEvents(nil, appends[i].Record.Events)))
					}
					largest.Store(max(largest.Load(), size))
					time.Sleep(time.Second)
					return pass()
				}}
				s := start(t, `steps: [{name: a, handler: {callable: a}, retry: {limit: 2, backoff_base_ms: 60000}}]`, tasker.Handlers{"a": handler}, func(c *tasker.Config) { c.Store = store })
				for range 50 {
					s.submit()
				}
				time.Sleep(time.Minute)
				if got := largest.Load(); got < part || got > most {
					t.Errorf("the largest flush has %d bytes, want at most %d", got, most)
				}
			})
		})
	}
}

// transacting is a store whose transactions take a second to commit.
type transacting struct{ tasker.Store }

func (s transacting) Transact(ctx context.Context, work func(ctx context.Context) (tasker.Append, error)) (tasker.Appended, error) {
	a, err := work(ctx)
	if err != nil {
		return tasker.Appended{}, err
	}
	time.Sleep(time.Second)
	answers, err := s.Append(ctx, []tasker.Append{a})
	if err != nil {
		return tasker.Appended{}, err
	}
	return answers[0], nil
}

func TestNothingElseOfATaskIsStoredWhileItsTransactionIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var books atomic.Int32
		s := start(t, "steps:\n  - {name: book, handler: {callable: book}}\n  - {name: beside, handler: {callable: beside}}\n", tasker.Handlers{
			"book":   doing(func(context.Context) error { books.Add(1); return nil }).InTransaction(),
			"beside": doing(func(context.Context) error { time.Sleep(time.Second / 2); return nil }), // before the commit
		}, func(c *tasker.Config) { c.Store = transacting{memory.New()} })
		id := s.submit()
		s.waits(id)
		task := s.task(id) // as it is stored
		if task.State != tasker.TaskComplete || task.Steps[0].State != tasker.StepComplete || books.Load() != 1 {
			t.Errorf("the task is %s, and its transaction is %s after %d runs", task.State, task.Steps[0].State, books.Load())
		}
	})
}

// elsewhere is a store whose clock is ahead of ours.
type elsewhere struct {
	tasker.Store
	ahead time.Duration
}

func (e elsewhere) at(t *time.Time) {
	if !t.IsZero() {
		*t = t.Add(e.ahead)
	}
}

func (e elsewhere) row(r *tasker.Row) { e.at(&r.WakeAt); e.at(&r.CreatedAt); e.at(&r.FinishedAt) }

func (e elsewhere) log(l *tasker.Log) {
	e.row(&l.Row)
	e.at(&l.Now)
	l.Records = slices.Clone(l.Records)
	for i := range l.Records {
		e.at(&l.Records[i].At)
	}
}

func (e elsewhere) Submit(ctx context.Context, tasks []tasker.NewTask) ([]tasker.Row, error) {
	rows, err := e.Store.Submit(ctx, tasks)
	for i := range rows {
		e.row(&rows[i])
	}
	return rows, err
}

func (e elsewhere) Append(ctx context.Context, appends []tasker.Append) ([]tasker.Appended, error) {
	answers, err := e.Store.Append(ctx, appends)
	for i := range answers {
		e.at(&answers[i].At)
	}
	return answers, err
}

func (e elsewhere) Load(ctx context.Context, id tasker.ID) (tasker.Log, error) {
	log, err := e.Store.Load(ctx, id)
	e.log(&log)
	return log, err
}

func (e elsewhere) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	found, err := e.Store.Candidates(ctx, q)
	e.at(&found.Now)
	e.at(&found.NextWake)
	for i := range found.Logs {
		e.log(&found.Logs[i])
	}
	return found, err
}

func (e elsewhere) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	pulse, err := e.Store.Beat(ctx, b)
	e.at(&pulse.Now)
	return pulse, err
}

// The second wait is kept in hand, the third is left to the store.
func TestRetriesComeOnTimeWhateverTheStoresClockSays(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var mu sync.Mutex
				var at []time.Duration
				s := start(t, `steps: [{name: a, handler: {callable: a}, retry: {limit: 3, backoff_base_ms: 700, jitter: 0}}]`, tasker.Handlers{
					"a": doing(func(context.Context) error {
						mu.Lock()
						defer mu.Unlock()
						at = append(at, time.Since(began))
						return errors.New("again")
					}),
				}, func(c *tasker.Config) { c.Store = elsewhere{memory.New(), ahead} })
				s.waits(s.submit())
				mu.Lock()
				defer mu.Unlock()
				if want := []time.Duration{0, 700 * time.Millisecond, 2100 * time.Millisecond}; !slices.Equal(at, want) {
					t.Errorf("the attempts came after %v, want %v", at, want)
				}
			})
		})
	}
}
