package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/telemetry"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// diamond is a workflow whose last step follows from two.
const diamond = `
name: order
namespace_name: shop
version: 1.0.0
on_failure: fail
steps:
  - {name: cart, handler: {callable: cart}, retry: {limit: 2, backoff_base_ms: 100}}
  - {name: pay, handler: {callable: pay}, dependencies: [cart], timeout_seconds: 10, retry: {limit: 2, backoff_base_ms: 100, jitter: 0},
     publishes_events: [{name: payment.made, delivery_mode: fast, schema: {type: object, properties: {amount: {type: integer}}}}]}
  - {name: stock, handler: {callable: stock}, dependencies: [cart], retry: {limit: 2, backoff_base_ms: 100}}
  - {name: mail, handler: {callable: mail}, dependencies: [pay, stock], retry: {limit: 2, backoff_base_ms: 100}}
`

// watched is an engine with someone who listens to what it tells.
type watched struct {
	*tasker.Engine
	t       *testing.T
	spans   *tracetest.SpanRecorder
	metrics *sdkmetric.ManualReader
	logs    *bytes.Buffer
}

type option func(*tasker.Config)

func on(store tasker.Store) option { return func(c *tasker.Config) { c.Store = store } }

func watch(t *testing.T, handlers tasker.Handlers, options ...option) *watched {
	t.Helper()
	parsed, err := template.Parse("order.yaml", []byte(diamond))
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader(), logs: &bytes.Buffer{}}
	all := tasker.Handlers{"cart": fine, "pay": fine, "stock": fine, "mail": fine}
	maps.Copy(all, handlers)
	config := tasker.Config{
		Store: memory.New(), Templates: []*template.Template{parsed}, Handlers: all,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, o := range options {
		o(&config)
	}
	err = telemetry.Wire(&config, telemetry.Options{
		Traces:  sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)),
		Metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.metrics)),
		Log:     slog.New(slog.NewJSONHandler(w.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.Engine, err = tasker.New(config); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *watched) start() *watched {
	w.t.Helper()
	if err := w.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.stop)
	return w
}

func (w *watched) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *watched) submit(ctx context.Context) tasker.ID {
	w.t.Helper()
	made, err := w.Submit(ctx, tasker.Request{Namespace: "shop", Name: "order", Context: map[string]string{"secret": canary}, CorrelationID: "checkout_1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ID
}

func (w *watched) await(id tasker.ID) *tasker.Task {
	w.t.Helper()
	task, err := w.Wait(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

// span finds the one ended span of a name that has these attributes.
func (w *watched) span(name string, attrs ...attribute.KeyValue) sdktrace.ReadOnlySpan {
	w.t.Helper()
	var found []sdktrace.ReadOnlySpan
	for _, s := range w.spans.Ended() {
		if s.Name() == name && !slices.ContainsFunc(attrs, func(a attribute.KeyValue) bool { return !slices.Contains(s.Attributes(), a) }) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("there are %d spans %s with %v among %v", len(found), name, attrs, w.names())
	}
	return found[0]
}

func (w *watched) names() (names []string) {
	for _, s := range w.spans.Ended() {
		names = append(names, s.Name())
	}
	return names
}

func step(name string, attempt int) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("tasker.step.name", name), attribute.Int("tasker.step.attempt", attempt)}
}

// figures are what the metrics say: counters by their value, histograms by the
// count, each with its labels.
func (w *watched) figures() map[string]int64 {
	w.t.Helper()
	var data metricdata.ResourceMetrics
	if err := w.metrics.Collect(context.Background(), &data); err != nil {
		w.t.Fatal(err)
	}
	figures := map[string]int64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch points := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range points.DataPoints {
					figures[m.Name+labels(p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range points.DataPoints {
					figures[m.Name+labels(p.Attributes)] = int64(p.Count)
				}
			default:
				w.t.Errorf("%s is a %T", m.Name, points)
			}
		}
	}
	return figures
}

func labels(set attribute.Set) string {
	var all []string
	for _, kv := range set.ToSlice() {
		all = append(all, string(kv.Key)+"="+kv.Value.AsString())
	}
	return "{" + strings.Join(all, ",") + "}"
}

// holds wants some figures to be as given.
func (w *watched) holds(want map[string]int64) {
	w.t.Helper()
	all, got := w.figures(), map[string]int64{}
	for name := range want {
		if value, there := all[name]; there {
			got[name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("the metrics (-want +got):\n%s", diff)
	}
}

var fine = tasker.Step(func(context.Context, struct{}) (map[string]int, error) { return map[string]int{"amount": 5}, nil })

// failing fails with these errors in turn, then succeeds.
func failing(errs ...error) tasker.Handler {
	calls := 0
	return tasker.Step(func(ctx context.Context, _ struct{}) (map[string]int, error) {
		if calls++; calls <= len(errs) {
			return nil, errs[calls-1]
		}
		return map[string]int{"amount": 5}, nil
	})
}

// hanging hangs until its context ends, so many times.
func hanging(times int) tasker.Handler {
	calls := 0
	return tasker.Step(func(ctx context.Context, _ struct{}) (map[string]int, error) {
		if calls++; calls <= times {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return map[string]int{"amount": 5}, nil
	})
}
