package telemetry

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Buckets are the edges of every histogram of seconds. The limits that
// workflows are held to are among them, so that the share within a limit is
// exact.
var Buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 120}

// instruments are the metrics. Their labels are namespaces, names of tasks and
// steps, and outcomes: what a template has, and nothing of what runs. Counters
// are counted here, and read when somebody asks for them: there are several to
// a step.
type instruments struct {
	submitted, finished, active, transitions *tally
	published, failed, dropped               *tally
	taskDuration, queueWait, delivery        metric.Float64Histogram
	doing, undoing                           attemptMetrics

	namespaces, tasks, steps, events sync.Map // what is known of each
	starts                           starts
}

// attemptMetrics are of the attempts at steps, or of those to undo them. They
// are apart: that a step was undone is no success of the step.
type attemptMetrics struct {
	attempts, retries, exhausted *tally
	duration                     metric.Float64Histogram
}

func newInstruments(m metric.Meter) (*instruments, error) {
	var errs []error
	var all []*tally
	tallied := func(t *tally, err error) *tally {
		all, errs = append(all, t), append(errs, err)
		return t
	}
	count := func(name, unit, about string) *tally {
		c, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(about))
		return tallied(&tally{instrument: c}, err)
	}
	seconds := func(name, about string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(Buckets...))
		errs = append(errs, err)
		return h
	}
	attempts := func(of, about string) attemptMetrics {
		return attemptMetrics{
			attempts:  count("tasker."+of+".attempts", "{attempt}", about+": attempts that ended, by outcome"),
			retries:   count("tasker."+of+".retries", "{retry}", about+": attempts that failed and are followed by another"),
			exhausted: count("tasker."+of+".exhausted", "{step}", about+": those that failed with their last attempt"),
			duration:  seconds("tasker."+of+".duration", about+": how long a handler ran in an attempt"),
		}
	}
	active, err := m.Int64ObservableUpDownCounter("tasker.tasks.active", metric.WithUnit("{task}"),
		metric.WithDescription("Tasks that were submitted here, less those that ended here"))
	i := &instruments{
		starts:       starts{at: map[attempt]time.Time{}},
		active:       tallied(&tally{instrument: active}, err),
		submitted:    count("tasker.tasks.submitted", "{task}", "Tasks that were submitted"),
		finished:     count("tasker.tasks.finished", "{task}", "Tasks that ended, by their final state"),
		transitions:  count("tasker.state.transitions", "{transition}", "Changes of state of tasks, of steps and of their undoing"),
		published:    count("tasker.events.published", "{event}", "Domain events that were published"),
		failed:       count("tasker.events.failed", "{event}", "Domain events that broke their schema, or whose reader failed"),
		dropped:      count("tasker.events.dropped", "{event}", "Domain events that a subscriber had no room for"),
		taskDuration: seconds("tasker.task.duration", "From a task's creation to its end"),
		queueWait:    seconds("tasker.step.queue.wait", "From the record that an attempt begins to its handler"),
		delivery:     seconds("tasker.event.delivery.duration", "How long a reader took for a domain event"),
		doing:        attempts("step", "Steps"),
		undoing:      attempts("undo", "Undoing of steps"),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return i, observed(m, all)
}

// observed has tallies read when somebody asks. It is one registration for
// each engine: those of a process count together.
func observed(m metric.Meter, all []*tally) error {
	instruments := make([]metric.Observable, len(all))
	for n, t := range all {
		instruments[n] = t.instrument
	}
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, t := range all {
			t.observe(o)
		}
		return nil
	}, instruments...)
	return err
}

// tally is a counter, with a cell for each set of labels that was ever
// counted.
type tally struct {
	instrument metric.Int64Observable
	mu         sync.Mutex
	cells      []*cell
}

type cell struct {
	n      atomic.Int64
	labels metric.ObserveOption
}

func (t *tally) add(labels ...attribute.KeyValue) *cell {
	c := &cell{labels: metric.WithAttributeSet(newSet(labels))}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cells = append(t.cells, c)
	return c
}

func (t *tally) observe(o metric.Observer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.cells {
		o.ObserveInt64(t.instrument, c.n.Load(), c.labels)
	}
}

// once makes something the first time that it is asked for.
type once[T any] struct {
	made atomic.Pointer[T]
	mu   sync.Mutex
}

func (o *once[T]) get(fresh func() *T) *T {
	if made := o.made.Load(); made != nil {
		return made
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if made := o.made.Load(); made != nil {
		return made
	}
	made := fresh()
	o.made.Store(made)
	return made
}

// find looks something up by a key, or makes it.
func find[K comparable, T any](all *sync.Map, key K, fresh func() *T) *T {
	if known, ok := all.Load(key); ok {
		return known.(*T)
	}
	o, _ := all.LoadOrStore(key, fresh())
	return o.(*T)
}

// states is how many there are of either kind.
const states = 1 + max(int(tasker.TaskResolved), int(tasker.StepSkipped))

// namespaceMetrics are what is counted by namespace.
type namespaceMetrics struct {
	name                        string
	active                      once[cell]
	wait                        []metric.RecordOption
	ofTasks, ofSteps, ofUndoing [states][states]once[cell]
}

func (i *instruments) namespace(name string) *namespaceMetrics {
	return find(&i.namespaces, name, func() *namespaceMetrics {
		return &namespaceMetrics{name: name, wait: recordOptions(attribute.String("namespace", name))}
	})
}

func recordOptions(labels ...attribute.KeyValue) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(newSet(labels))}
}

// newSet leaves labels as they are, which others read: attribute.NewSet sorts
// what it is given.
func newSet(labels []attribute.KeyValue) attribute.Set {
	return attribute.NewSet(slices.Clone(labels)...)
}

func (i *instruments) countActive(namespace *namespaceMetrics, n int64) {
	namespace.active.get(func() *cell { return i.active.add(attribute.String("namespace", namespace.name)) }).n.Add(n)
}

func (i *instruments) countTransition(cells *[states][states]once[cell], entity, namespace string, from, to int, names func(int) string) {
	cells[from][to].get(func() *cell {
		return i.transitions.add(attribute.String("entity", entity), attribute.String("namespace", namespace),
			attribute.String("from", names(from)), attribute.String("to", names(to)))
	}).n.Add(1)
}

// taskMetrics are what is counted by kind of task.
type taskMetrics struct {
	labels    []attribute.KeyValue
	submitted once[cell]
	ended     [states]once[endMetrics]
}

type endMetrics struct {
	finished *cell
	duration []metric.RecordOption
}

type taskKey struct{ namespace, name string }

func (i *instruments) task(row *tasker.Row) *taskMetrics {
	return find(&i.tasks, taskKey{row.Namespace, row.Name}, func() *taskMetrics {
		return &taskMetrics{labels: []attribute.KeyValue{attribute.String("namespace", row.Namespace), attribute.String("task", row.Name)}}
	})
}

// stepMetrics are what is counted by step.
type stepMetrics struct {
	of        *attemptMetrics
	labels    []attribute.KeyValue
	attempts  [outcomes]once[cell]
	durations [outcomes]once[[]metric.RecordOption]
	exhausted once[cell]
	retries   sync.Map // cells by code
}

type stepKey struct {
	namespace, task, step string
	undo                  bool
}

func (i *instruments) step(namespace, task, step string, undo bool) *stepMetrics {
	of := &i.doing
	if undo {
		of = &i.undoing
	}
	return find(&i.steps, stepKey{namespace, task, step, undo}, func() *stepMetrics {
		return &stepMetrics{of: of, labels: []attribute.KeyValue{attribute.String("namespace", namespace), attribute.String("task", task), attribute.String("step", step)}}
	})
}

// with is a set of labels and one more.
func with(labels []attribute.KeyValue, more ...attribute.KeyValue) []attribute.KeyValue {
	return append(labels[:len(labels):len(labels)], more...)
}

// count counts what an event of a record says.
func (i *instruments) count(row *tasker.Row, r *tasker.Record, e *tasker.Event) {
	switch e.Kind {
	case tasker.Submitted:
		task := i.task(row)
		task.submitted.get(func() *cell { return i.submitted.add(task.labels...) }).n.Add(1)
		i.countActive(i.namespace(row.Namespace), 1)
	case tasker.Started:
		i.starts.add(attempt{row.ID, e.Step, e.Attempt, e.Undo}, time.Now())
	}
	if outcome := outcomeOf(e); outcome != none {
		i.step(row.Namespace, row.Name, e.Step, e.Undo).count(e, outcome)
	}
	i.countChange(row, r, e)
}

// count counts an attempt that ended.
func (s *stepMetrics) count(e *tasker.Event, outcome outcome) {
	s.attempts[outcome].get(func() *cell {
		return s.of.attempts.add(with(s.labels, attribute.String("outcome", outcome.String()))...)
	}).n.Add(1)
	switch {
	case e.Kind == tasker.Retrying:
		find(&s.retries, e.Error.Code, func() *cell {
			return s.of.retries.add(with(s.labels, attribute.String("error_type", e.Error.Code))...)
		}).n.Add(1)
	case e.Kind == tasker.Failed && e.Error.Kind == tasker.KindRetryable:
		s.exhausted.get(func() *cell { return s.of.exhausted.add(s.labels...) }).n.Add(1)
	}
}

func (i *instruments) countChange(row *tasker.Row, r *tasker.Record, e *tasker.Event) {
	c := &e.Change
	if c.From == c.To && c.TaskFrom == c.TaskTo {
		return
	}
	namespace := i.namespace(row.Namespace)
	if c.From != c.To {
		cells, entity := &namespace.ofSteps, "step"
		if e.Undo {
			cells, entity = &namespace.ofUndoing, "undo"
		}
		i.countTransition(cells, entity, row.Namespace, int(c.From), int(c.To), func(s int) string { return tasker.StepState(s).String() })
	}
	if c.TaskFrom == c.TaskTo {
		return
	}
	i.countTransition(&namespace.ofTasks, "task", row.Namespace, int(c.TaskFrom), int(c.TaskTo), func(s int) string { return tasker.TaskState(s).String() })
	if c.TaskTo.Final() {
		task := i.task(row)
		end := task.ended[c.TaskTo].get(func() *endMetrics {
			labels := with(task.labels, attribute.String("outcome", c.TaskTo.String()))
			return &endMetrics{i.finished.add(labels...), recordOptions(labels...)}
		})
		end.finished.n.Add(1)
		i.taskDuration.Record(context.Background(), r.At.Sub(row.CreatedAt).Seconds(), end.duration...)
		i.countActive(namespace, -1)
	}
}

// begins is told that a handler begins.
func (i *instruments) begins(ctx context.Context, a *tasker.Attempt, now time.Time) {
	if at, ok := i.starts.take(attempt{a.TaskID, a.Step, a.Number, a.Undo}); ok {
		i.queueWait.Record(ctx, now.Sub(at).Seconds(), i.namespace(a.Namespace).wait...)
	}
}

// ends is told that a handler is done.
func (i *instruments) ends(ctx context.Context, a *tasker.Attempt, took time.Duration, outcome outcome) {
	step := i.step(a.Namespace, a.Name, a.Step, a.Undo)
	labels := step.durations[outcome].get(func() *[]metric.RecordOption {
		made := recordOptions(with(step.labels, attribute.String("outcome", outcome.String()))...)
		return &made
	})
	step.of.duration.Record(ctx, took.Seconds(), *labels...)
}

// starts are attempts whose handlers have not begun yet, with the time when
// that they begin was recorded.
type starts struct {
	mu    sync.Mutex
	at    map[attempt]time.Time
	swept time.Time
}

func (s *starts) add(a attempt, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[a] = now
	if now.Sub(s.swept) < sweepAfter {
		return
	}
	s.swept = now
	for a, at := range s.at {
		if now.Sub(at) > sweepAfter {
			delete(s.at, a) // it was lost before its turn
		}
	}
}

func (s *starts) take(a attempt) (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok = s.at[a]
	delete(s.at, a)
	return at, ok
}

// eventMetrics are what is counted by domain event and what becomes of it.
type eventMetrics struct {
	counted  *cell // nil for what has only a duration
	delivery []metric.RecordOption
}

type eventKey struct {
	namespace, event string
	mode             tasker.Delivery
	outcome          tasker.EventOutcome
}

// notice counts what becomes of domain events.
func (w *wire) notice(n tasker.EventNotice) {
	i := w.instruments
	e := find(&i.events, eventKey{n.Event.Namespace, n.Event.Name, n.Mode, n.Outcome}, func() *eventMetrics { return i.event(&n) })
	if e.counted != nil {
		e.counted.n.Add(1)
	}
	if n.Outcome == tasker.EventDelivered || n.Outcome == tasker.EventFailed {
		i.delivery.Record(context.Background(), n.Took.Seconds(), e.delivery...)
	}
}

func (i *instruments) event(n *tasker.EventNotice) *eventMetrics {
	labels := []attribute.KeyValue{attribute.String("namespace", n.Event.Namespace), attribute.String("event", n.Event.Name), attribute.String("mode", string(n.Mode))}
	m := &eventMetrics{delivery: recordOptions(attribute.String("mode", string(n.Mode)), attribute.String("result", string(n.Outcome)))}
	switch n.Outcome {
	case tasker.EventPublished:
		m.counted = i.published.add(labels...)
	case tasker.EventDropped:
		m.counted = i.dropped.add(labels...)
	case tasker.EventInvalid:
		m.counted = i.failed.add(with(labels, attribute.String("reason", "schema"))...)
	case tasker.EventFailed:
		m.counted = i.failed.add(with(labels, attribute.String("reason", "reader"))...)
	}
	return m
}
