package tasker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// unplugged is a store whose calls by one engine fail while it is cut off.
type unplugged struct {
	tasker.Store
	cut atomic.Bool
}

var errCut = errors.New("the connection is cut")

func (u *unplugged) Append(ctx context.Context, a []tasker.Append) ([]tasker.Appended, error) {
	if u.cut.Load() {
		return nil, errCut
	}
	return u.Store.Append(ctx, a)
}

func (u *unplugged) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	if u.cut.Load() {
		return tasker.Pulse{}, errCut
	}
	return u.Store.Beat(ctx, b)
}

func (u *unplugged) Load(ctx context.Context, id tasker.ID) (tasker.Log, error) {
	if u.cut.Load() {
		return tasker.Log{}, errCut
	}
	return u.Store.Load(ctx, id)
}

func (u *unplugged) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	if u.cut.Load() {
		return tasker.Candidates{}, errCut
	}
	return u.Store.Candidates(ctx, q)
}

func TestAWorkerThatLosesContactLosesItsTasksAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lease = 10 * time.Second
		store := memory.New()
		wire := &unplugged{Store: store}
		const source = "steps:\n  - {name: a, handler: {callable: a}}\n  - {name: b, handler: {callable: b}, dependencies: [a]}\n"
		var cause error
		var aRuns atomic.Int32
		a := doing(func(context.Context) error { aRuns.Add(1); return nil })
		first := start(t, source, tasker.Handlers{"a": a, "b": doing(func(ctx context.Context) error { <-ctx.Done(); cause = context.Cause(ctx); return nil })},
			func(c *tasker.Config) { c.Store, c.Lease = wire, lease })
		id := first.submit()
		synctest.Wait()
		second := start(t, source, tasker.Handlers{"a": a, "b": giving("second")}, func(c *tasker.Config) { c.Store, c.Lease = store, lease })
		wire.cut.Store(true)
		cut := time.Now()
		task := second.await(id)
		if took := time.Since(cut); took > lease*3/2 {
			t.Errorf("the takeover took %v of a lease of %v", took, lease)
		}
		time.Sleep(lease)
		if !errors.Is(cause, tasker.ErrLeaseLost) {
			t.Errorf("the first worker's handler was ended by %v", cause)
		}
		if b := task.Steps[1]; string(b.Result) != `"second"` || b.LostAttempts != 1 || b.Attempts != 1 || aRuns.Load() != 1 {
			t.Errorf("b gives %s after %d attempts and %d lost ones; a ran %d times", b.Result, b.Attempts, b.LostAttempts, aRuns.Load())
		}
		wire.cut.Store(false)
		time.Sleep(lease)
		if err := second.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		again := first.submit()
		time.Sleep(time.Second)
		if got := first.task(again); got.Steps[1].State != tasker.StepInProgress {
			t.Errorf("back again, the first worker has b %s", got.Steps[1].State)
		}
		if err := first.Cancel(t.Context(), again, tasker.By{}); err != nil {
			t.Fatal(err)
		}
	})
}

// faulty fails the nth call of an engine: before it takes effect, or after.
type faulty struct {
	tasker.Store
	calls, fail int64
	after       bool
	mu          sync.Mutex
}

func (f *faulty) strike() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls == f.fail
}

func (f *faulty) count() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func through[T any](f *faulty, call func() (T, error)) (T, error) {
	var none T
	strike := f.strike()
	if strike && !f.after {
		return none, errCut
	}
	answer, err := call()
	if strike {
		return none, errCut
	}
	return answer, err
}

func (f *faulty) Append(ctx context.Context, a []tasker.Append) ([]tasker.Appended, error) {
	return through(f, func() ([]tasker.Appended, error) { return f.Store.Append(ctx, a) })
}
func (f *faulty) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	if b.First {
		return f.Store.Beat(ctx, b)
	}
	return through(f, func() (tasker.Pulse, error) { return f.Store.Beat(ctx, b) })
}
func (f *faulty) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	return through(f, func() (tasker.Candidates, error) { return f.Store.Candidates(ctx, q) })
}

func TestEveryCallOfTheStoreMayFailOnceBeforeOrAfterItTookEffect(t *testing.T) {
	t.Parallel()
	const diamond = `
steps:
  - {name: a, handler: {callable: x}}
  - {name: b, handler: {callable: x}, dependencies: [a]}
  - {name: c, handler: {callable: x}, dependencies: [a]}
  - {name: d, handler: {callable: flaky}, dependencies: [b, c], retry: {limit: 3, backoff_base_ms: 1500}}
  - {name: e, handler: {callable: x}, dependencies: [d]}
  - {name: f, handler: {callable: x}, dependencies: [e]}`
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			struck := false
			t.Run(fmt.Sprintf("call %d, after its effect: %t", n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := &faulty{Store: memory.New(), fail: n, after: after}
					observer := witness{t: t}
					effects := map[string]int{}
					var mu sync.Mutex
					count := func(ctx context.Context) error {
						mu.Lock()
						defer mu.Unlock()
						effects[tasker.Key(ctx)]++
						return nil
					}
					s := start(t, diamond, tasker.Handlers{"x": doing(count), "flaky": doing(func(ctx context.Context) error {
						if tasker.Current(ctx).Number == 1 {
							return errors.New("again")
						}
						return count(ctx)
					})}, func(c *tasker.Config) { c.Store, c.Lease, c.Observe = store, 6*time.Second, observer.observe })
					task := s.run()
					if task.State != tasker.TaskComplete {
						t.Fatalf("the task is %s", task.State)
					}
					for _, step := range task.Steps {
						if step.LostAttempts != 0 {
							t.Errorf("%s lost %d attempts, though no worker died", step.Name, step.LostAttempts)
						}
					}
					mu.Lock()
					defer mu.Unlock()
					for key, n := range effects {
						if n != 1 {
							t.Errorf("%s took effect %d times", key, n)
						}
					}
					synctest.Wait()
					log, err := store.Store.Load(t.Context(), task.ID)
					if err != nil {
						t.Fatal(err)
					}
					observer.sawAll(log.Records)
					struck = store.count() >= n
				})
			})
			if t.Failed() {
				return
			}
			if !struck {
				if n < 10 {
					t.Errorf("there were only %d calls to fail", n-1)
				}
				break
			}
		}
	}
}

// between is a store with something between it and those who append.
type between struct {
	tasker.Store
	append func(appends []tasker.Append, pass func() ([]tasker.Appended, error)) ([]tasker.Appended, error)
	loads  atomic.Int32
}

func (b *between) Append(ctx context.Context, appends []tasker.Append) ([]tasker.Appended, error) {
	return b.append(appends, func() ([]tasker.Appended, error) { return b.Store.Append(ctx, appends) })
}

func (b *between) Load(ctx context.Context, id tasker.ID) (tasker.Log, error) {
	b.loads.Add(1)
	return b.Store.Load(ctx, id)
}

type pass = func() ([]tasker.Appended, error)

func straight(_ []tasker.Append, pass pass) ([]tasker.Appended, error) { return pass() }

func slow(_ []tasker.Append, pass pass) ([]tasker.Appended, error) {
	time.Sleep(time.Second)
	return pass()
}

// silent is a store that answers nothing until the caller gives up.
type silent struct{ tasker.Store }

func (silent) SaveTemplates(ctx context.Context, _ []tasker.StoredTemplate, _ bool) ([]tasker.StoredTemplate, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestASubmitWaitsForASilentStoreNoLongerThanItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, oneStep, tasker.Handlers{"a": fine}, func(c *tasker.Config) { c.Store = silent{memory.New()} })
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := s.Submit(ctx, request(map[string]any{})); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
					t.Errorf("after %v a submit gets %v", time.Since(began), err)
				}
			})
		}
		all.Wait()
	})
}
