package telemetry

import (
	"context"
	"errors"
	"sync"
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
// steps, and outcomes: what a template has, and nothing of what runs.
type instruments struct {
	submitted, finished, attempts, retries, exhausted, transitions metric.Int64Counter
	active                                                         metric.Int64UpDownCounter
	taskDuration, stepDuration, queueWait, delivery                metric.Float64Histogram
	published, failed, dropped                                     metric.Int64Counter

	labels sync.Map // sets of labels that were made before, by labelKey
	starts starts
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

func newInstruments(m metric.Meter) (*instruments, error) {
	var errs []error
	counter := func(name, unit, about string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return c
	}
	seconds := func(name, about string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(Buckets...))
		errs = append(errs, err)
		return h
	}
	active, err := m.Int64UpDownCounter("tasker.tasks.active", metric.WithUnit("{task}"), metric.WithDescription("Tasks that were submitted and have not ended"))
	errs = append(errs, err)
	i := &instruments{
		starts:       starts{at: map[attempt]time.Time{}},
		active:       active,
		submitted:    counter("tasker.tasks.submitted", "{task}", "Tasks that were submitted"),
		finished:     counter("tasker.tasks.finished", "{task}", "Tasks that ended, by their final state"),
		attempts:     counter("tasker.step.attempts", "{attempt}", "Attempts that ended, by outcome"),
		retries:      counter("tasker.step.retries", "{retry}", "Attempts that failed and are followed by another"),
		exhausted:    counter("tasker.step.exhausted", "{step}", "Steps that failed with their last attempt"),
		transitions:  counter("tasker.state.transitions", "{transition}", "Changes of state of tasks and steps"),
		taskDuration: seconds("tasker.task.duration", "From a task's creation to its end"),
		stepDuration: seconds("tasker.step.duration", "How long a handler ran in an attempt"),
		queueWait:    seconds("tasker.step.queue.wait", "From the record that an attempt begins to its handler"),
		published:    counter("tasker.events.published", "{event}", "Domain events that were published"),
		failed:       counter("tasker.events.failed", "{event}", "Domain events that broke their schema, or whose reader failed"),
		dropped:      counter("tasker.events.dropped", "{event}", "Domain events that a subscriber had no room for"),
		delivery:     seconds("tasker.event.delivery.duration", "How long a reader took for a domain event"),
	}
	return i, errors.Join(errs...)
}

// labelKey is what a set of labels is made of.
type labelKey struct{ kind, a, b, c, d string }

// with gives the labels, made once for each of their values: there are few.
func (i *instruments) with(key labelKey, make func() []attribute.KeyValue) metric.MeasurementOption {
	if known, ok := i.labels.Load(key); ok {
		return known.(metric.MeasurementOption)
	}
	made := metric.WithAttributeSet(attribute.NewSet(make()...))
	i.labels.Store(key, made)
	return made
}

func (i *instruments) ofNamespace(namespace string) metric.MeasurementOption {
	return i.with(labelKey{kind: "namespace", a: namespace}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("namespace", namespace)}
	})
}

func (i *instruments) ofTask(namespace, task string) metric.MeasurementOption {
	return i.with(labelKey{kind: "task", a: namespace, b: task}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("namespace", namespace), attribute.String("task", task)}
	})
}

func (i *instruments) ofTaskOutcome(namespace, task, outcome string) metric.MeasurementOption {
	return i.with(labelKey{"task outcome", namespace, task, outcome, ""}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("namespace", namespace), attribute.String("task", task), attribute.String("outcome", outcome)}
	})
}

// ofStep labels a step; name and value are one more label, if any.
func (i *instruments) ofStep(namespace, task, step, name, value string) metric.MeasurementOption {
	return i.with(labelKey{"step " + name, namespace, task, step, value}, func() []attribute.KeyValue {
		all := []attribute.KeyValue{attribute.String("namespace", namespace), attribute.String("task", task), attribute.String("step", step)}
		if name != "" {
			all = append(all, attribute.String(name, value))
		}
		return all
	})
}

func (i *instruments) ofTransition(entity, namespace, from, to string) metric.MeasurementOption {
	return i.with(labelKey{"transition", entity, namespace, from, to}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("entity", entity), attribute.String("namespace", namespace), attribute.String("from", from), attribute.String("to", to)}
	})
}

// count counts what an event of a record says.
func (i *instruments) count(row *tasker.Row, r *tasker.Record, e *tasker.Event) {
	ctx := context.Background()
	switch e.Kind {
	case tasker.Submitted:
		i.submitted.Add(ctx, 1, i.ofTask(row.Namespace, row.Name))
		i.active.Add(ctx, 1, i.ofNamespace(row.Namespace))
	case tasker.Started:
		i.starts.add(attempt{row.ID, e.Step, e.Attempt, e.Undo}, time.Now())
	case tasker.Retrying:
		i.retries.Add(ctx, 1, i.ofStep(row.Namespace, row.Name, e.Step, "error_type", e.Error.Code))
	case tasker.Failed:
		if e.Error.Kind == tasker.KindRetryable {
			i.exhausted.Add(ctx, 1, i.ofStep(row.Namespace, row.Name, e.Step, "", ""))
		}
	}
	if outcome := outcomeOf(e); outcome != "" {
		i.attempts.Add(ctx, 1, i.ofStep(row.Namespace, row.Name, e.Step, "outcome", outcome))
	}
	i.countChange(ctx, row, r, &e.Change)
}

func (i *instruments) countChange(ctx context.Context, row *tasker.Row, r *tasker.Record, c *tasker.Change) {
	if c.From != c.To {
		i.transitions.Add(ctx, 1, i.ofTransition("step", row.Namespace, c.From.String(), c.To.String()))
	}
	if c.TaskFrom == c.TaskTo {
		return
	}
	i.transitions.Add(ctx, 1, i.ofTransition("task", row.Namespace, c.TaskFrom.String(), c.TaskTo.String()))
	if c.TaskTo.Final() {
		labels := i.ofTaskOutcome(row.Namespace, row.Name, c.TaskTo.String())
		i.finished.Add(ctx, 1, labels)
		i.taskDuration.Record(ctx, r.At.Sub(row.CreatedAt).Seconds(), labels)
		i.active.Add(ctx, -1, i.ofNamespace(row.Namespace))
	}
}

// begins is told that a handler begins.
func (i *instruments) begins(ctx context.Context, a *tasker.Attempt, now time.Time) {
	if at, ok := i.starts.take(attempt{a.TaskID, a.Step, a.Number, a.Undo}); ok {
		i.queueWait.Record(ctx, now.Sub(at).Seconds(), i.ofNamespace(a.Namespace))
	}
}

// ends is told that a handler is done.
func (i *instruments) ends(ctx context.Context, a *tasker.Attempt, took time.Duration, outcome string) {
	i.stepDuration.Record(ctx, took.Seconds(), i.ofStep(a.Namespace, a.Name, a.Step, "outcome", outcome))
}

// outcomeOfReturn names how a handler ended, before the engine has judged it.
func outcomeOfReturn(ctx context.Context, err error, panicked bool) string {
	var verdict *tasker.Error
	switch {
	case panicked:
		return permanentError
	case err == nil:
		return success
	case errors.Is(err, tasker.ErrParked):
		return parked
	case errors.Is(context.Cause(ctx), tasker.ErrLeaseLost):
		return lost
	case errors.Is(context.Cause(ctx), context.Canceled):
		return cancelled
	case ctx.Err() != nil:
		return timeout
	case errors.As(err, &verdict) && verdict.Kind == tasker.KindPermanent:
		return permanentError
	default:
		return retryableError
	}
}

// notice counts what becomes of domain events.
func (w *wire) notice(n tasker.EventNotice) {
	i, ctx := w.instruments, context.Background()
	labels := i.with(labelKey{"event", n.Event.Namespace, n.Event.Name, string(n.Mode), string(n.Outcome)}, func() []attribute.KeyValue {
		all := []attribute.KeyValue{attribute.String("namespace", n.Event.Namespace), attribute.String("event", n.Event.Name), attribute.String("mode", string(n.Mode))}
		if n.Outcome == tasker.EventInvalid || n.Outcome == tasker.EventFailed {
			all = append(all, attribute.String("reason", map[tasker.EventOutcome]string{tasker.EventInvalid: "schema", tasker.EventFailed: "reader"}[n.Outcome]))
		}
		return all
	})
	switch n.Outcome {
	case tasker.EventPublished:
		i.published.Add(ctx, 1, labels)
	case tasker.EventInvalid:
		i.failed.Add(ctx, 1, labels)
	case tasker.EventDropped:
		i.dropped.Add(ctx, 1, labels)
	case tasker.EventFailed:
		i.failed.Add(ctx, 1, labels)
		i.delivered(ctx, &n)
	case tasker.EventDelivered:
		i.delivered(ctx, &n)
	}
}

func (i *instruments) delivered(ctx context.Context, n *tasker.EventNotice) {
	labels := i.with(labelKey{kind: "delivery", a: string(n.Mode), b: string(n.Outcome)}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("mode", string(n.Mode)), attribute.String("result", string(n.Outcome))}
	})
	i.delivery.Record(ctx, n.Took.Seconds(), labels)
}
