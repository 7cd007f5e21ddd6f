package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// idleAfter is how long nothing may happen to a task that has not ended. It is
// longer than any step may take and any retry may wait.
const idleAfter = 10 * time.Minute

// watchIdle has every scrape ask the store for tasks to which nothing happens.
// Nobody else sees them: what hangs does not fail, so no counter moves. The
// store knows them whoever submitted them, and after a restart too.
func (t *Telemetry) watchIdle(namespace string, e *tasker.Engine) error {
	_, err := t.metrics.Meter(scope).Int64ObservableGauge("checkout.tasks.idle", metric.WithUnit("{task}"),
		metric.WithDescription("Tasks that have not ended and to which nothing has happened for 10 minutes"),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			ctx, cancel := context.WithTimeout(ctx, storeLimit)
			defer cancel()
			idle, err := e.Rows(ctx, tasker.Filter{Namespace: namespace, Idle: idleAfter, Limit: 1000})
			if err == nil {
				o.Observe(int64(len(idle)), metric.WithAttributes(attribute.String("namespace", namespace)))
			}
			return err
		}))
	return err
}

// showThresholds makes metrics of the template's thresholds, so that rules and
// dashboards need not repeat them.
func showThresholds(provider metric.MeterProvider, t *template.Template) error {
	_, err := provider.Meter(scope).Float64ObservableGauge("checkout.step.threshold", metric.WithUnit("s"),
		metric.WithDescription("How long a step may take before it counts as a bottleneck"),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			for i := range t.Steps {
				o.Observe(thresholdOf(&t.Steps[i]).Seconds(), metric.WithAttributes(attribute.String("step", t.Steps[i].Name)))
			}
			return nil
		}))
	return err
}
