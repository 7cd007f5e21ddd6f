package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/telemetry"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Telemetry is where everything goes that the engine and the business tell:
// spans, metrics and log lines. This process keeps them to show them; spans go
// to a collector too, where there is one.
type Telemetry struct {
	Registry *prometheus.Registry // for GET /metrics
	Spans    *SpanShelf
	Lines    *LogShelf
	Log      *slog.Logger
	Events   *EventStats
	Alerts   *AlertLog
	Business *BusinessMetrics

	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
}

// telemetryOf is the one of a run. It is made once.
func telemetryOf(w *post.World) *Telemetry {
	return post.Share(w, "telemetry", func() *Telemetry {
		otlp := w.Flag("otlp")
		t, err := newTelemetry(watchedTemplate(runOf(w).environment), strings.Join(otlp[max(0, len(otlp)-1):], ""))
		if err != nil {
			panic(fmt.Sprintf("the post's own telemetry cannot be wired: %v", err)) // no input leads here
		}
		w.AtEnd(t.flush)
		return t
	})
}

// newTelemetry wires the SDK: who listens to spans, and who reads metrics.
func newTelemetry(checkout *template.Template, otlp string) (*Telemetry, error) {
	t := &Telemetry{Registry: prometheus.NewRegistry(), Spans: &SpanShelf{}, Lines: &LogShelf{}, Events: newEventStats()}
	t.Log = slog.New(telemetry.NewLogHandler(slog.NewJSONHandler(t.Lines, nil)))
	t.Alerts = &AlertLog{log: t.Log}
	about := resource.NewSchemaless(
		attribute.String("service.name", "checkout"),
		attribute.String("service.version", checkout.Version),
		attribute.String("deployment.environment.name", "tutorial"))

	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(t.Registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	t.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(about))
	if t.Business, err = newBusinessMetrics(t.metrics, t.Log); err != nil {
		return nil, err
	}
	if err := showThresholds(t.metrics, checkout); err != nil {
		return nil, err
	}

	spans := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(about),
		sdktrace.WithSpanProcessor(t.Spans),
		sdktrace.WithSpanProcessor(newBottleneckWatch(checkout, t.Alerts)),
		sdktrace.WithSpanProcessor(newSLAWatch(checkout, t.Business, t.Alerts)),
	}
	exporter, err := collector(otlp)
	if err != nil {
		return nil, err
	}
	if exporter != nil {
		spans = append(spans, sdktrace.WithBatcher(exporter))
	}
	t.traces = sdktrace.NewTracerProvider(spans...)
	return t, nil
}

// collector sends spans to where -otlp or the variables of OpenTelemetry say;
// nil where they say nothing.
func collector(url string) (sdktrace.SpanExporter, error) {
	if url != "" {
		return otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(strings.TrimRight(url, "/")+"/v1/traces"))
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" {
		return otlptracehttp.New(context.Background())
	}
	return nil, nil
}

// wire has an engine tell all this. The middleware of the config stays: what
// a fault does to an attempt is seen from outside.
func (t *Telemetry) wire(config *tasker.Config) error {
	config.Middleware = append([]tasker.Middleware{sayWhatItIsWorth}, config.Middleware...)
	config.ObserveEvents = t.Events.of(config.Tag)
	return telemetry.Wire(config, telemetry.Options{Traces: t.traces, Metrics: t.metrics, Log: t.Log})
}

// patience is how long the end of a run waits for a collector.
const patience = 2 * time.Second

// flush sends what is left, and gives up on a collector that does not answer.
func (t *Telemetry) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = t.traces.Shutdown(ctx) // the SDK has told of it
	_ = t.metrics.Shutdown(ctx)
}

// LogShelf keeps log lines, as a log service would, up to a number.
type LogShelf struct {
	mu    sync.Mutex
	lines [][]byte
}

const mostLines = 20_000

// Write takes one line.
func (s *LogShelf) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) < mostLines {
		s.lines = append(s.lines, bytes.Clone(line))
	}
	return len(line), nil
}

// Of gives the lines that have a text in them: a correlation id.
func (s *LogShelf) Of(text string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if bytes.Contains(line, []byte(text)) {
			found = append(found, strings.TrimRight(string(line), "\n"))
		}
	}
	return found
}

// watchedTemplate is the checkout's template. Thresholds and limits are read
// from it, so that they are written down once.
func watchedTemplate(environment string) *template.Template {
	all, err := template.Load(templates, "templates/*.yaml")
	if err != nil {
		panic(err) // it is embedded, and the run has read it before
	}
	return all[0].In(environment)
}
