package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// BusinessMetrics counts what the business asks for, and does nothing else.
// How long steps take is the engine's to tell: it has measured it.
type BusinessMetrics struct {
	log *slog.Logger

	conversions, failures, revenue, lost, payments, sla metric.Int64Counter
}

func newBusinessMetrics(provider metric.MeterProvider, log *slog.Logger) (*BusinessMetrics, error) {
	meter := provider.Meter(scope)
	var errs []error
	count := func(name, unit, about string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return c
	}
	m := &BusinessMetrics{
		log:         log,
		conversions: count("checkout.conversions", "{checkout}", "Visitors who became customers"),
		failures:    count("checkout.failures", "{checkout}", "Checkouts that ended without an order, by the step and its code"),
		revenue:     count("checkout.revenue", "{cent}", "Value of the orders of completed checkouts, in cents"),
		lost:        count("checkout.revenue.lost", "{cent}", "Value of the checkouts that failed, in cents"),
		payments:    count("checkout.payments", "{charge}", "Charges that were tried, by outcome"),
		sla:         count("checkout.sla", "{checkout}", "Completed checkouts, by whether they met the limit"),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.beginAtZero()
	return m, nil
}

// scope names this post's own spans and metrics.
const scope = "posts/05-observability"

// beginAtZero shows counters before they are counted. Prometheus measures what
// a series gains; one that appears with its first failure has gained nothing.
func (m *BusinessMetrics) beginAtZero() {
	ctx := context.Background()
	m.conversions.Add(ctx, 0, metric.WithAttributes(attribute.String("namespace", "ecommerce")))
	for _, tier := range []string{"standard", "premium"} {
		m.revenue.Add(ctx, 0, metric.WithAttributes(attribute.String("customer_tier", tier)))
		m.lost.Add(ctx, 0, metric.WithAttributes(attribute.String("customer_tier", tier)))
	}
	for _, met := range []bool{true, false} {
		m.sla.Add(ctx, 0, metric.WithAttributes(attribute.Bool("met", met)))
	}
}

// told is what this post's events say; each says some of it.
type told struct {
	OrderValue money.Amount `json:"order_value"`
	Tier       string       `json:"customer_tier"`
	Method     string       `json:"payment_method"`
	Amount     money.Amount `json:"amount"`
	ErrorCode  string       `json:"error_code"`
	WillRetry  bool         `json:"will_retry"`
	Attempt    int          `json:"attempt"`
	Max        int          `json:"max_attempts"`
}

// read takes an event's payload apart, and gives the context of the trace that
// it belongs to: what is logged with it says so.
func read(ctx context.Context, e *tasker.DomainEvent) (context.Context, told, error) {
	var t told
	err := json.Unmarshal(e.Payload, &t)
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": e.Trace}), t, err
}

// about are the fields by which a log line about an event is found again.
func about(e *tasker.DomainEvent) slog.Attr {
	return slog.Group("", "correlation_id", e.CorrelationID, "namespace", e.Namespace, "task", e.TaskID, "step", e.Step)
}

// Completed hears of checkouts that went well.
func (m *BusinessMetrics) Completed(ctx context.Context, e tasker.DomainEvent) error {
	ctx, checkout, err := read(ctx, &e)
	if err != nil {
		return err
	}
	tier := attribute.String("customer_tier", checkout.Tier)
	m.conversions.Add(ctx, 1, metric.WithAttributes(attribute.String("namespace", e.Namespace)))
	m.revenue.Add(ctx, int64(checkout.OrderValue), metric.WithAttributes(tier))
	m.log.InfoContext(ctx, "business.checkout.completed", about(&e),
		"order_value", checkout.OrderValue.String(), "customer_tier", checkout.Tier)
	return nil
}

// Charged hears of every charge that was tried.
func (m *BusinessMetrics) Charged(ctx context.Context, e tasker.DomainEvent) error {
	ctx, charge, err := read(ctx, &e)
	if err != nil {
		return err
	}
	outcome := "success"
	switch {
	case charge.WillRetry:
		outcome = "retried"
	case charge.ErrorCode != "":
		outcome = "failed"
	}
	m.payments.Add(ctx, 1, metric.WithAttributes(
		attribute.String("payment_method", charge.Method), attribute.String("outcome", outcome)))
	return nil
}

// failed counts a checkout that ended without an order. The journal calls it
// once for each: money that is lost must not be missed, nor counted twice.
func (m *BusinessMetrics) failed(ctx context.Context, e *tasker.DomainEvent, checkout told) {
	tier := attribute.String("customer_tier", checkout.Tier)
	m.failures.Add(ctx, 1, metric.WithAttributes(attribute.String("namespace", e.Namespace),
		attribute.String("failed_step", e.Step), attribute.String("error_type", checkout.ErrorCode), tier))
	m.lost.Add(ctx, int64(checkout.OrderValue), metric.WithAttributes(tier))
	m.log.ErrorContext(ctx, "business.checkout.failed", about(e), "error_type", checkout.ErrorCode,
		"revenue_impact", checkout.OrderValue.String(), "customer_tier", checkout.Tier)
}

// judged counts a completed checkout by whether it was in time.
func (m *BusinessMetrics) judged(met bool) {
	m.sla.Add(context.Background(), 1, metric.WithAttributes(attribute.Bool("met", met)))
}
