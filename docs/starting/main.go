// The start of a service: it takes bookings by HTTP, and works on them.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/telemetry"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		err = run(ctx, os.Getenv("DATABASE_URL"), listener)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// patience is how long a stop waits for handlers and requests that run. It is
// longer than any step's timeout, and shorter than what the platform allows
// between SIGTERM and SIGKILL.
const patience = 20 * time.Second

// run serves until ctx ends, then lets what runs come to its end.
func run(ctx context.Context, url string, listener net.Listener) error {
	store, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	figures := prometheus.NewRegistry()
	engine, err := newEngine(store, &Hotel{newSandbox(), newSandbox()}, figures)
	if err != nil {
		return err
	}
	if err := engine.Start(ctx); err != nil {
		return err
	}
	server := &http.Server{Handler: routes(engine, figures), ReadHeaderTimeout: patience}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served: // it cannot go on
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(err, server.Shutdown(ending), engine.Stop(ending))
}

// newEngine makes the engine as every process of the service has it.
func newEngine(store tasker.Store, hotel *Hotel, figures *prometheus.Registry) (*tasker.Engine, error) {
	workflows, err := template.Load(templates, "templates/*.yaml")
	if err != nil {
		return nil, err
	}
	config := tasker.Config{
		Store: store, Templates: workflows, Handlers: hotel.Handlers(),
		Environment: "production",
		Retention:   tasker.Retention{Tasks: 90 * 24 * time.Hour, Keys: 365 * 24 * time.Hour},
	}
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(figures), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	if err := telemetry.Wire(&config, telemetry.Options{Metrics: metrics}); err != nil {
		return nil, err
	}
	return tasker.New(config)
}

func routes(engine *tasker.Engine, figures *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	b := bookings{engine}
	mux.HandleFunc("POST /bookings", b.take)
	mux.HandleFunc("GET /bookings/{id}", b.show)
	mux.Handle("GET /metrics", promhttp.HandlerFor(figures, promhttp.HandlerOpts{}))
	return mux
}
