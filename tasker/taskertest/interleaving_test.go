package taskertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/history"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Whatever the order in which tasks park, are answered, expire, are
// cancelled, lose their workers and are taken over, none is left waiting for
// something that has happened. Each run is a seed, which is printed when it
// fails: INTERLEAVING_SEED=n repeats it alone.

var waitingTemplates = []string{`
name: parent
namespace_name: maze
version: 1.0.0
on_failure: compensate
steps:
  - {name: ask, handler: {callable: ask}, compensate: {callable: undo}}
  - {name: child, handler: {callable: child}, dependencies: [ask]}
  - {name: last, handler: {callable: work}, dependencies: [child], retry: {limit: 3, backoff: none}}
`, `
name: child
namespace_name: maze
version: 1.0.0
steps:
  - {name: ask, handler: {callable: ask}}
  - {name: work, handler: {callable: work}, retry: {limit: 3, backoff: none}}
`}

// maze is one run.
type maze struct {
	t       *testing.T
	seed    uint64
	unit    time.Duration // of time: a lease is five
	store   tasker.Store
	tag     string
	chance  *rand.Rand
	client  *tasker.Engine
	workers []*walker
	tasks   []tasker.ID
}

// walker is a worker that may be killed: from then on it has no store.
type walker struct {
	*tasker.Engine
	cord *cord
}

type cord struct {
	tasker.Store
	cut atomic.Bool
}

var errCut = errors.New("the cord is cut")

func through[T any](c *cord, call func() (T, error)) (answer T, err error) {
	if c.cut.Load() {
		return answer, errCut
	}
	if answer, err = call(); c.cut.Load() {
		err = errCut
	}
	return answer, err
}

func (c *cord) Append(ctx context.Context, a []tasker.Append) ([]tasker.Appended, error) {
	return through(c, func() ([]tasker.Appended, error) { return c.Store.Append(ctx, a) })
}
func (c *cord) Submit(ctx context.Context, tasks []tasker.NewTask) ([]tasker.Row, error) {
	return through(c, func() ([]tasker.Row, error) { return c.Store.Submit(ctx, tasks) })
}
func (c *cord) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	return through(c, func() (tasker.Pulse, error) { return c.Store.Beat(ctx, b) })
}
func (c *cord) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	return through(c, func() (tasker.Candidates, error) { return c.Store.Candidates(ctx, q) })
}
func (c *cord) Load(ctx context.Context, id tasker.ID) (tasker.Log, error) {
	return through(c, func() (tasker.Log, error) { return c.Store.Load(ctx, id) })
}
func (c *cord) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	return through(c, func() ([]tasker.Row, error) { return c.Store.Rows(ctx, f) })
}
func (c *cord) Leave(ctx context.Context, id tasker.ID) error {
	if c.cut.Load() {
		return nil // the dead do not say good-bye
	}
	return c.Store.Leave(ctx, id)
}

func (m *maze) pause(units float64) { time.Sleep(time.Duration(units * float64(m.unit))) }

func (m *maze) config(store tasker.Store) tasker.Config {
	var templates []*template.Template
	for i, text := range waitingTemplates {
		parsed, err := template.Parse(fmt.Sprintf("maze%d.yaml", i), []byte(text))
		if err != nil {
			m.t.Fatal(err)
		}
		templates = append(templates, parsed)
	}
	type input struct {
		ExpiresMS int64 `context:"expires_ms"`
		WorkMS    int64 `context:"work_ms"`
	}
	work := func(ctx context.Context, in input) error {
		select {
		case <-time.After(time.Duration(in.WorkMS) * time.Millisecond):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return tasker.Config{
		Store: store, Templates: templates, Tag: m.tag, Environment: "test", Seed: m.seed,
		Lease: 5 * m.unit, Poll: m.unit, Grace: m.unit,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Handlers: tasker.Handlers{
			"ask": tasker.Step(func(ctx context.Context, in input) (bool, error) {
				return tasker.Ask[bool](ctx, tasker.Question{Expires: time.Duration(in.ExpiresMS) * time.Millisecond})
			}),
			"work": tasker.Step(func(ctx context.Context, in input) (any, error) { return nil, work(ctx, in) }),
			"undo": tasker.Undo(func(ctx context.Context, in input, _ *bool) (any, error) { return nil, work(ctx, in) }),
			"child": tasker.Step(func(ctx context.Context, in struct {
				Whole map[string]any `context:"."`
			}) (string, error) {
				made, err := tasker.Submit(ctx, tasker.Request{Namespace: "maze", Name: "child", Context: in.Whole})
				if err != nil {
					return "", err
				}
				child, err := tasker.Await(ctx, made.ID, 0)
				if err != nil {
					return "", err
				}
				return child.State.String(), nil
			}),
		},
	}
}

func (m *maze) engine(store tasker.Store) *tasker.Engine {
	engine, err := tasker.New(m.config(store))
	if err != nil {
		m.t.Fatal(err)
	}
	return engine
}

func (m *maze) hire() {
	c := &cord{Store: m.store}
	w := &walker{m.engine(c), c}
	if err := w.Start(context.Background()); err != nil {
		m.t.Errorf("seed %d: start: %v", m.seed, err)
		return
	}
	m.workers = append(m.workers, w)
}

// fire ends a worker: in an orderly way, or as if it were killed.
func (m *maze) fire(killed bool) {
	if len(m.workers) == 0 {
		return
	}
	i := m.chance.IntN(len(m.workers))
	w := m.workers[i]
	m.workers = append(m.workers[:i], m.workers[i+1:]...)
	ctx, cancel := context.WithTimeout(context.Background(), m.unit)
	if killed {
		w.cord.cut.Store(true)
		cancel()
	}
	defer cancel()
	_ = w.Stop(ctx)
}

// all reads the tasks of the run with their children.
func (m *maze) all() (tasks []*tasker.Task) {
	rows, err := m.client.Rows(context.Background(), tasker.Filter{Tag: m.tag, Limit: 1000})
	if err != nil {
		m.t.Errorf("seed %d: %v", m.seed, err)
	}
	for i := range rows {
		t, err := m.client.Task(context.Background(), rows[i].ID)
		if err != nil {
			m.t.Errorf("seed %d: %v", m.seed, err)
			continue
		}
		tasks = append(tasks, t)
	}
	return tasks
}

var mazeOps = tasker.By{Actor: "maze", Reason: "chance"}

// act does one thing, to a task that chance picks.
func (m *maze) act() {
	ctx := context.Background()
	switch m.chance.IntN(12) {
	case 0:
		m.fire(true)
	case 1:
		m.fire(false)
	case 2, 3:
		if len(m.workers) < 3 {
			m.hire()
		}
	case 4:
		m.pause(12) // longer than questions last
	}
	tasks := m.all()
	if len(tasks) == 0 {
		return
	}
	t := tasks[m.chance.IntN(len(tasks))]
	var err error
	switch m.chance.IntN(10) {
	case 0:
		how := [][]tasker.How{nil, {tasker.WithChildren}, {tasker.WithUndo}, {tasker.WithChildren, tasker.WithUndo}}
		err = m.client.Cancel(ctx, t.ID, mazeOps, how[m.chance.IntN(len(how))]...)
	case 1:
		_, err = m.client.RetryTask(ctx, t.ID, mazeOps)
	case 2:
		_, err = m.client.FailStep(ctx, t.ID, "ask", nil, mazeOps)
	case 3, 4, 5, 6, 7:
		_, err = m.client.Answer(ctx, t.ID, "ask", true, mazeOps)
	}
	if err != nil && !errors.Is(err, tasker.ErrEnded) && !errors.Is(err, tasker.ErrRefused) {
		m.t.Errorf("seed %d: %v", m.seed, err)
	}
}

// stuck tells which task waits for something that has happened, or for
// nothing; "" for none.
func (m *maze) stuck() string {
	tasks := m.all()
	ended := map[tasker.ID]bool{}
	for _, t := range tasks {
		ended[t.ID] = t.State.Final()
	}
	for _, t := range tasks {
		why := ""
		switch t.State {
		case tasker.TaskPending, tasker.TaskInProgress, tasker.TaskWaitingForRetry:
			why = "nobody works on it"
		case tasker.TaskWaiting:
			for i := range t.Steps {
				s := &t.Steps[i]
				switch {
				case s.Wait == nil:
				case ended[s.Wait.Task]:
					why = "it waits for a task that has ended"
				case !s.ExpiresAt.IsZero() && time.Since(s.ExpiresAt) > 0:
					why = "its wait is over"
				}
			}
		}
		rows, err := m.client.Rows(context.Background(), tasker.Filter{IDs: []tasker.ID{t.ID}})
		if err == nil && len(rows) == 1 && why == "" && rows[0].State != t.State {
			why = "its row says " + rows[0].State.String()
		}
		if why != "" {
			records, _ := m.client.History(context.Background(), t.ID)
			return fmt.Sprintf("task %s is %s: %s\n%s", t.ID, t.State, why, history.Text(records))
		}
	}
	return ""
}

// walk is a whole run.
func (m *maze) walk() {
	m.chance = rand.New(rand.NewPCG(m.seed, 1))
	m.client = m.engine(m.store)
	m.hire()
	for range 2 {
		expires := []time.Duration{0, 4 * m.unit, 8 * m.unit}[m.chance.IntN(3)]
		made, err := m.client.Submit(context.Background(), tasker.Request{Namespace: "maze", Name: "parent", Tag: m.tag, Context: map[string]any{
			"expires_ms": expires.Milliseconds(), "work_ms": (time.Duration(m.chance.IntN(3)) * m.unit).Milliseconds(),
		}})
		if err != nil {
			m.t.Errorf("seed %d: %v", m.seed, err)
			return
		}
		m.tasks = append(m.tasks, made.ID)
	}
	for range 12 {
		m.pause(m.chance.Float64() * 1.5)
		m.act()
	}
	m.hire()
	stuck := "?"
	for range 40 {
		m.pause(5)
		if stuck = m.stuck(); stuck == "" {
			break
		}
	}
	if stuck != "" {
		m.t.Errorf("seed %d: %s", m.seed, stuck)
	}
	for len(m.workers) > 0 {
		m.fire(false)
	}
}

// seeds are those that a test tries: INTERLEAVING_SEED alone, or so many; a
// fifth of them, unless TASKER_INTERLEAVINGS=1 asks for all, and fewer still
// in -short.
func seeds(n int) (from, to uint64) {
	switch {
	case testing.Short():
		n /= 20
	case os.Getenv("TASKER_INTERLEAVINGS") != "1":
		n /= 5
	}
	if one, err := strconv.ParseUint(os.Getenv("INTERLEAVING_SEED"), 10, 64); err == nil {
		return one, one + 1
	}
	from = uint64(time.Now().UnixNano())
	return from, from + uint64(n)
}

func TestNoTaskIsLeftWaitingForWhatHasHappened(t *testing.T) {
	t.Parallel()
	from, to := seeds(10_000)
	t.Logf("seeds from %d", from)
	for seed := from; seed < to && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			(&maze{t: t, seed: seed, unit: time.Second, store: memory.New(), tag: "maze"}).walk()
		})
	}
}

func TestNoTaskIsLeftWaitingForWhatHasHappenedOnPostgres(t *testing.T) {
	t.Parallel()
	store := taskertest.OnPostgres(t)
	from, to := seeds(200)
	t.Logf("seeds from %d", from)
	const atOnce = 10
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for seed := from; seed < to && !t.Failed(); seed++ {
		free <- struct{}{}
		all.Go(func() {
			(&maze{t: t, seed: seed, unit: 150 * time.Millisecond, store: store, tag: fmt.Sprint("maze", seed)}).walk()
			<-free
		})
	}
	all.Wait()
}
