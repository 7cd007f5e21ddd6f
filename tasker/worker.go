package tasker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// worker runs tasks. It is one loop: everything that changes its state runs
// there, so nothing of it needs a lock. Handlers and calls of the store run
// in goroutines of their own, at most one flush, one claim and one beat at a
// time, and post what they found to the loop.
type worker struct {
	engine *Engine
	config *Config
	store  Store
	chance *rand.Rand
	inbox  inbox

	now  time.Time     // of this turn of the loop
	skew time.Duration // the store's clock less ours

	id       ID
	joined   bool      // the store knows this worker
	beatAt   time.Time // when the last successful beat was sent: the lease runs from here
	beating  bool
	nextBeat time.Time

	held    map[ID]*held
	ready   ready
	waiting taskHeap // held tasks that wait for a time
	queued  int      // steps that could start if there were slots
	bytes   int      // payloads of the held tasks
	dirty   []*held  // have something to be stored
	running map[*run]bool
	crew    *crew
	used    int // slots taken, from the choice of a step to its outcome

	shares     map[TemplateKey]*share // of templates; with no hash, of namespaces
	namespaces []*share
	heldBy     map[string]int       // tasks by namespace, where all workers together have a limit
	full       map[TemplateKey]bool // whose tasks were left in the store

	refusedUntil map[string]time.Time // by namespace: the store has refused a claim for its limit

	stuck map[*run]bool // abandoned runs that still go on
	line  []*run        // started, and waiting for a slot

	turnover int // runs that ended since the last flush
	ahead    int // and those before it: so many are started ahead of a slot
	sweepAt  time.Time

	flushing   bool
	spare      flushed // slices for the next flush to use
	purging    bool
	purgeAt    time.Time
	mostPurge  int // how many tasks are deleted at once
	claiming   bool
	mostClaim  int              // how many tasks the store is asked for at once
	unfit      map[ID]time.Time // tasks that could not be taken, and until when they are passed over
	rounds     int              // how often the store has offered what was taken
	moreWork   bool             // the store may have more for us
	moreBehind bool             // it may, behind tasks whose claim is under way
	claimAt    time.Time        // when to ask it at the latest

	stats     stats
	life      context.Context // ends with the loop, and with it what is read for tasks that are held
	die       context.CancelFunc
	stopping  bool
	cutOff    bool           // handlers were told to end
	ends      sync.WaitGroup // task handlers that see the end of a task
	finishing atomic.Int64   // how many these are
	done      chan struct{}
	timer     *time.Timer
	alarm     time.Time
}

// Start begins to run tasks. The engine runs them until [Engine.Stop]: ctx is
// for the start alone, and may be one that ends with the process's first
// signal. An engine that is not started submits and answers questions only.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.open(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.worker != nil {
		return errors.New("tasker: the engine is started already")
	}
	w := newWorker(e)
	pulse, err := e.store.Beat(ctx, Beat{Worker: w.id, Lease: e.config.Lease, First: true, Templates: e.runnable})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	w.skew = pulse.Now.Sub(w.now)
	e.worker = w
	go w.loop()
	return nil
}

// newWorker makes a worker of an engine that is about to join. The engine's lock
// is held.
func newWorker(e *Engine) *worker {
	now := time.Now()
	w := &worker{
		engine: e, config: &e.config, store: e.store,
		chance: rand.New(rand.NewPCG(e.chance.Uint64(), e.chance.Uint64())),
		inbox:  inbox{signal: make(chan struct{}, 1)},
		now:    now, id: newID(now, e.chance), joined: true, beatAt: now, nextBeat: now.Add(e.config.Lease / 3),
		held:    map[ID]*held{},
		waiting: taskHeap{before: earlierWake, slot: amongWaiting},
		running: map[*run]bool{}, stuck: map[*run]bool{}, shares: map[TemplateKey]*share{},
		heldBy: map[string]int{}, full: map[TemplateKey]bool{}, refusedUntil: map[string]time.Time{},
		unfit: map[ID]time.Time{}, mostClaim: maxClaim, mostPurge: purgeAtOnce, moreWork: true,
		done: make(chan struct{}),
	}
	w.life, w.die = context.WithCancel(context.Background())
	w.crew = newCrew(w.execute)
	if e.config.Retention != (Retention{}) {
		w.purgeAt = now
	}
	return w
}

// Stop ends the engine's work: nothing new starts, handlers that run may
// finish until ctx ends, and are then told to end. What is not done stays in
// the store for others. Stop returns an error that names the handlers that
// would not end, those of [Handler.OnFinish] among them; their goroutines are
// left behind.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	w := e.worker
	e.worker = nil
	e.mu.Unlock()
	if w == nil {
		e.subscribers.stop(e.config.Grace)
		return nil
	}
	w.do(func() { w.wind() })
	select {
	case <-w.done:
	case <-ctx.Done():
		w.do(func() { w.cut() })
		grace := time.NewTimer(e.config.Grace)
		defer grace.Stop()
		select {
		case <-w.done:
		case <-grace.C:
			w.do(func() { w.abandonAll() })
			<-w.done
		}
	}
	unseen := w.endsAreSeen(ctx)
	e.subscribers.stop(e.config.Grace)
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Grace)
	defer cancel()
	return errors.Join(w.complaint(), unseen, e.store.Leave(leave, w.id))
}

// endsAreSeen waits until the task handlers have seen the ends of their tasks:
// until ctx ends, and then for the grace. The loop is over.
func (w *worker) endsAreSeen(ctx context.Context) error {
	seen := make(chan struct{})
	go func() { w.ends.Wait(); close(seen) }()
	select {
	case <-seen:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-seen:
		return nil
	case <-time.After(w.config.Grace):
		return errors.New("stop: an OnFinish of a task handler does not return; its task has ended all the same")
	}
}

// wind begins the stop: what nobody works on goes back to the store.
func (w *worker) wind() {
	w.stopping, w.moreWork = true, false
	for _, r := range w.line {
		r.inLine = false
		if r.task.runs[r.step] == r {
			w.withdraw(r)
		} else {
			w.takeSlot(r.task, -1)
		}
	}
	w.line = nil
	for _, h := range w.held {
		w.advance(h)
	}
}

// complaint names the handlers that would not end. The loop is over.
func (w *worker) complaint() error {
	if len(w.stuck) == 0 {
		return nil
	}
	var names []string
	for r := range w.stuck {
		names = append(names, fmt.Sprintf("%s of task %s", r.about.Step, r.about.TaskID))
	}
	slices.Sort(names)
	return fmt.Errorf("stop: %d handlers ignore that their context has ended: %s", len(names), strings.Join(names, ", "))
}

// Stats is what an engine is doing.
type Stats struct {
	Held    int // tasks that it owns
	Running int // handlers that run
	Stuck   int // handlers that went on after their context ended, and lost their slot for it
	Queued  int // steps that wait for a slot

	Dropped int64 // domain events, since the engine was made, that subscribers had no room for
}

// Stats tells what this engine is doing now: nothing when it is not started.
func (e *Engine) Stats() Stats {
	s := e.working()
	s.Dropped = e.subscribers.dropped.Load()
	return s
}

func (e *Engine) working() Stats {
	e.mu.Lock()
	w := e.worker
	e.mu.Unlock()
	if w == nil {
		return Stats{}
	}
	w.stats.mu.Lock()
	defer w.stats.mu.Unlock()
	return w.stats.Stats
}

// stats is what the last turn of the loop has left. Nobody has to wait for the
// loop to see it, so that an observer, which the loop itself calls, may look.
type stats struct {
	mu sync.Mutex
	Stats
}

func (w *worker) count() {
	w.stats.mu.Lock()
	defer w.stats.mu.Unlock()
	w.stats.Stats = Stats{Held: len(w.held), Running: len(w.running), Stuck: len(w.stuck), Queued: w.queued}
}

// inbox is what other goroutines have for the loop.
type inbox struct {
	mu       sync.Mutex
	outcomes []outcome
	calls    []func()
	signal   chan struct{}
}

func (w *worker) post(o outcome) {
	w.inbox.mu.Lock()
	w.inbox.outcomes = append(w.inbox.outcomes, o)
	w.inbox.mu.Unlock()
	w.inbox.wake()
}

// do has f called on the loop.
func (w *worker) do(f func()) {
	w.inbox.mu.Lock()
	w.inbox.calls = append(w.inbox.calls, f)
	w.inbox.mu.Unlock()
	w.inbox.wake()
}

func (in *inbox) wake() {
	select {
	case in.signal <- struct{}{}:
	default:
	}
}

// loop takes what has come in, then does what follows from it: start steps,
// store what happened, ask for more.
func (w *worker) loop() {
	defer close(w.done)
	defer w.die()
	defer w.store.Listen(w.hear)()
	w.timer = time.NewTimer(0)
	defer w.timer.Stop()
	var outcomes []outcome
	var calls []func()
	for !w.over() {
		select {
		case <-w.inbox.signal:
		case <-w.timer.C:
			w.alarm = time.Time{}
		}
		w.now = time.Now()
		w.inbox.mu.Lock()
		outcomes, w.inbox.outcomes = w.inbox.outcomes, outcomes[:0]
		calls, w.inbox.calls = w.inbox.calls, calls[:0]
		w.inbox.mu.Unlock()
		w.fence()
		for i := range calls {
			calls[i]()
			calls[i] = nil
		}
		for i := range outcomes {
			w.settle(&outcomes[i])
			outcomes[i] = outcome{}
		}
		w.wakeTasks()
		w.sweep()
		w.serve()
		w.fill()
		w.count()
		w.flush()
		w.claim()
		w.beat()
		w.purge()
		w.setAlarm()
	}
	w.crew.leave()
}

// over says that a stopping worker has nothing left to do.
func (w *worker) over() bool {
	return w.stopping && len(w.held) == 0 && len(w.running) == 0 && !w.flushing && !w.claiming && !w.beating && !w.purging
}

// hear takes a hint of the store, on a goroutine of somebody else's.
func (w *worker) hear(h Hint) {
	switch h.Kind {
	case HintWork:
		w.do(func() { w.moreWork = !w.stopping })
	case HintPoke:
		w.do(func() { w.nextBeat = w.now })
	}
}

// setAlarm sets the timer to the next thing that only time brings. What waits
// for an answer or for room comes by itself, and must not be waited for here:
// its time may have passed.
func (w *worker) setAlarm() {
	next := w.beatAt.Add(w.config.Lease)
	sooner := func(t time.Time) { next = earlier(next, t) }
	if !w.joined {
		next = w.now.Add(w.config.Lease)
	}
	if !w.beating {
		sooner(w.nextBeat)
	}
	if w.room() > 0 {
		sooner(w.claimAt)
	}
	if len(w.waiting.tasks) > 0 {
		sooner(w.waiting.tasks[0].wake)
	}
	sooner(w.sweepAt)
	if !w.purging && !w.stopping {
		sooner(w.purgeAt)
	}
	if !next.Equal(w.alarm) {
		w.alarm = next
		w.timer.Reset(next.Sub(w.now))
	}
}

// storeNow is the time by the store's clock.
func (w *worker) storeNow() time.Time { return w.now.Add(w.skew) }
