package tasker

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Config says what an [Engine] runs, and how. Store is required; the zero
// value of every other field is its default.
type Config struct {
	Store Store

	// Templates are those of the tasks that the engine submits or runs, and
	// Handlers all that they name: who only submits has them too. An engine
	// that reads, steers and consumes needs neither.
	Templates []*template.Template
	Handlers  Handlers

	// Environment chooses the overrides of the templates. Defaults to
	// TASKER_ENV, else "development". Name another in production: there a
	// template that was changed without a new version is refused, while
	// development takes it with a warning.
	Environment string

	// Concurrency is how many steps run at once in this process. Defaults to 64.
	Concurrency int

	// NamespaceConcurrency bounds it by namespace, each at least 1. Defaults to
	// no bound.
	NamespaceConcurrency map[string]int

	// ClusterConcurrency bounds how many tasks of a namespace all workers on
	// the store have at once. What is parked or waits to be retried for long
	// does not count. Every worker should be told the same. Defaults to no bound.
	ClusterConcurrency map[string]int

	// Retention deletes tasks some time after their end. Neither term may be
	// less than an hour. Defaults to keeping everything.
	Retention Retention

	// Lease is how long this process may be silent before others take over
	// its tasks. Defaults to 30 s.
	Lease time.Duration

	// Poll is how often the store is asked for work when it gives no hint.
	// Defaults to 1 s.
	Poll time.Duration

	// Grace is how long a handler may go on after its context has ended,
	// before its slot is given to others. Defaults to 5 s.
	Grace time.Duration

	// Tag keeps this engine to the tasks submitted with it. Defaults to "",
	// which is every task.
	Tag string

	// Middleware wraps every run of a step's handler, the first outermost.
	Middleware []Middleware

	// Observe is told of every record that this engine stored. It is called
	// from the engine's own loop, in the order of each task's log, and by those
	// who submit and who steer, in their goroutines: it must be quick, and wait
	// for nothing that the engine does.
	Observe func(Row, Record)

	// ObserveEvents is told what becomes of domain events. It is called from
	// many goroutines, also from the engine's own loop, as Observe is.
	ObserveEvents func(EventNotice)

	// TraceSubmit begins the trace of a task that is about to be submitted:
	// its answer is the W3C traceparent that the task keeps, and what to call
	// once the task is stored, or could not be.
	TraceSubmit func(ctx context.Context, namespace, task string) (trace string, done func(ID, error))

	// Logger defaults to slog.Default().
	Logger *slog.Logger

	// Seed makes ids and jitter repeatable. Defaults to chance.
	Seed uint64
}

// Middleware wraps the run of a handler. The attempt is [Current] in ctx.
type Middleware func(next Runner) Runner

// Runner runs a handler and gives its result before that is encoded.
type Runner func(ctx context.Context) (any, error)

// Engine submits tasks, runs them and answers questions about them. It may be
// used from many goroutines.
type Engine struct {
	config  Config
	store   Store
	log     *slog.Logger
	waiters waiters

	subscribers subscribers

	own map[ownName]*plan // the engine's own templates; New makes it, and nothing changes it

	opening chan struct{} // whoever opens the engine stands in it
	opened  atomic.Bool   // the store has the engine's templates

	mu       sync.Mutex // guards what follows
	chance   *rand.Rand
	texts    map[string]*template.Template // by hash: the engine's own, and those that it found in the store
	plans    map[planKey]*plan             // by template and environment
	runnable []TemplateKey                 // every handler of these is here
	worker   *worker
}

type planKey struct{ hash, environment string }

type ownName struct{ namespace, name, version string } // version "" is the newest

// New makes an engine and checks everything that can be checked before the
// first task: that every handler is there, and that its inputs fit the
// template and each other. The error is [template.Problems], all of them.
func New(config Config) (*Engine, error) {
	if config.Store == nil {
		return nil, errors.New("tasker: Config.Store is missing; memory.New() needs nothing else")
	}
	if config.Environment == "" {
		config.Environment = os.Getenv("TASKER_ENV")
	}
	if config.Environment == "" {
		config.Environment = "development"
	}
	for _, d := range []struct {
		name  string
		field *time.Duration
		value time.Duration
	}{{"Lease", &config.Lease, 30 * time.Second}, {"Poll", &config.Poll, time.Second}, {"Grace", &config.Grace, 5 * time.Second}} {
		if *d.field < 0 {
			return nil, fmt.Errorf("tasker: Config.%s is negative", d.name)
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if config.Concurrency < 0 {
		return nil, errors.New("tasker: Config.Concurrency is negative")
	}
	for name, bounds := range map[string]map[string]int{"NamespaceConcurrency": config.NamespaceConcurrency, "ClusterConcurrency": config.ClusterConcurrency} {
		for namespace, bound := range bounds {
			if bound < 1 {
				return nil, fmt.Errorf("tasker: Config.%s of %s is %d; leave the namespace out for no bound, or its templates to have none of its tasks", name, namespace, bound)
			}
		}
	}
	if tasks, keys := config.Retention.Tasks, config.Retention.Keys; tasks != 0 && tasks < minRetention || keys != 0 && keys < minRetention {
		return nil, fmt.Errorf("tasker: Config.Retention keeps tasks for %v and keys for %v; the least is %v, and 0 is for ever", tasks, keys, minRetention)
	}
	if config.Concurrency == 0 {
		config.Concurrency = 64
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	e := &Engine{
		config: config, store: config.Store, log: config.Logger,
		chance: newChance(config.Seed),
		texts:  map[string]*template.Template{},
		plans:  map[planKey]*plan{}, own: map[ownName]*plan{},
		opening: make(chan struct{}, 1),
	}
	return e, e.load()
}

// load binds every template, in this engine's environment, to its handlers.
func (e *Engine) load() error {
	var problems template.Problems
	for _, t := range e.config.Templates {
		p, found := newPlan(t.In(e.config.Environment), e.config.Handlers)
		problems = append(problems, found...)
		problems = append(problems, e.checkTransactions(p)...)
		key := planKey{t.Hash(), e.config.Environment}
		name, newest := ownName{t.Namespace, t.Name, t.Version}, ownName{t.Namespace, t.Name, ""}
		if other := e.own[name]; other != nil && other.template.Hash() != t.Hash() {
			problems = append(problems, template.Problem{File: t.File(), Message: fmt.Sprintf("%s is there twice, the other in %s", t, other.template.File())})
		}
		e.plans[key], e.texts[t.Hash()] = p, t
		e.runnable = append(e.runnable, TemplateKey{t.Namespace, t.Hash()})
		e.own[name] = p
		if last := e.own[newest]; last == nil || t.NewerThan(last.template) {
			e.own[newest] = p
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// checkTransactions holds transactional handlers to a store that has
// transactions.
func (e *Engine) checkTransactions(p *plan) (problems template.Problems) {
	_, offered := e.store.(Transactor)
	for i, b := range p.steps {
		if b != nil && b.handler.transactional && !offered {
			problems = append(problems, template.Problem{
				File: p.template.File(), Key: p.template.String() + ", step " + p.template.Steps[i].Name,
				Message: fmt.Sprintf("%s works in the transaction that records it, and the store %T has none; use a store such as tasker/postgres", p.template.Steps[i].Handler.Callable, e.store),
			})
		}
	}
	return problems
}

func (e *Engine) newID() ID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newID(time.Now(), e.chance)
}

// newChance is a source that repeats itself for a seed other than 0.
func newChance(seed uint64) *rand.Rand {
	var key [32]byte
	if seed == 0 {
		_, _ = crand.Read(key[:]) // never fails
	}
	binary.LittleEndian.PutUint64(key[24:], seed^binary.LittleEndian.Uint64(key[24:]))
	return rand.New(rand.NewChaCha8(key))
}
