package telemetry_test

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/telemetry"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// wirings are the ways to run an engine that are compared. A batch exporter
// that throws everything away stands for one that sends it somewhere.
var wirings = []struct {
	name string
	wire func(c *tasker.Config) error
}{
	{"bare", func(*tasker.Config) error { return nil }},
	{"wired to nobody", func(c *tasker.Config) error { return telemetry.Wire(c, telemetry.Options{}) }},
	{"metrics and one trace in a hundred", func(c *tasker.Config) error { return wireAll(c, 0.01) }},
	{"metrics and every trace", func(c *tasker.Config) error { return wireAll(c, 1) }},
}

func wireAll(c *tasker.Config, share float64) error {
	return telemetry.Wire(c, telemetry.Options{
		Traces: sdktrace.NewTracerProvider(
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))),
			sdktrace.WithBatcher(tracetest.NewNoopExporter())),
		Metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
	})
}

// chain is the workflow of the engine's own benchmarks: five steps in a row,
// with about 200 bytes each.
const chain = `
name: chain
namespace_name: bench
version: 1.0.0
steps:
  - {name: s0, handler: {callable: s}}
  - {name: s1, handler: {callable: s}, dependencies: [s0]}
  - {name: s2, handler: {callable: s}, dependencies: [s1]}
  - {name: s3, handler: {callable: s}, dependencies: [s2]}
  - {name: s4, handler: {callable: s}, dependencies: [s3]}
`

// BenchmarkCost runs tasks as fast as they go, or at a steady rate, and gives
// the rate in steps/s and the processor's time in µs/step.
func BenchmarkCost(b *testing.B) {
	stores := map[string]func(testing.TB) tasker.Store{
		"memory":   func(testing.TB) tasker.Store { return memory.New() },
		"postgres": func(t testing.TB) tasker.Store { return taskertest.OnPostgres(t) },
	}
	for _, store := range []string{"memory", "postgres"} {
		for _, rate := range []int{0, 2000} {
			for _, w := range wirings {
				pace := "saturated"
				if rate > 0 {
					pace = fmt.Sprintf("%d steps a second", rate)
				}
				b.Run(store+"/"+pace+"/"+w.name, func(b *testing.B) { runChain(b, stores[store](b), rate, w.wire) })
			}
		}
	}
}

func runChain(b *testing.B, store tasker.Store, rate int, wire func(*tasker.Config) error) {
	parsed, err := template.Parse("chain.yaml", []byte(chain))
	if err != nil {
		b.Fatal(err)
	}
	pad := string(make([]byte, 0, 150))
	config := tasker.Config{
		Store: store, Templates: []*template.Template{parsed}, Concurrency: 256,
		Handlers: tasker.Handlers{"s": tasker.Step(func(context.Context, struct{}) (map[string]string, error) {
			return map[string]string{"pad": pad}, nil
		})},
	}
	if err := wire(&config); err != nil {
		b.Fatal(err)
	}
	engine, err := tasker.New(config)
	if err != nil {
		b.Fatal(err)
	}
	if err := engine.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer engine.Stop(context.Background())
	tasks := 2000
	if rate > 0 {
		tasks = rate / 5 // a second of it
	}
	runtime.GC()
	b.ResetTimer()
	cpu, began := processorTime(b), time.Now()
	for b.Loop() {
		if err := pass(b, engine, tasks, rate); err != nil {
			b.Fatal(err)
		}
	}
	steps := float64(b.N * tasks * 5)
	b.ReportMetric(steps/time.Since(began).Seconds(), "steps/s")
	b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/steps, "cpu-µs/step")
}

// pass submits tasks a hundred at a time, at a rate if there is one, and waits
// for all of them.
func pass(b *testing.B, engine *tasker.Engine, tasks, rate int) error {
	const batch = 100
	var ids []tasker.ID
	began := time.Now()
	for n := 0; n < tasks; n += batch {
		requests := make([]tasker.Request, min(batch, tasks-n))
		for i := range requests {
			requests[i] = tasker.Request{Namespace: "bench", Name: "chain", Context: map[string]int{"n": n + i}}
		}
		made, err := engine.SubmitAll(b.Context(), requests)
		if err != nil {
			return err
		}
		for _, m := range made {
			ids = append(ids, m.ID)
		}
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(len(ids)*5) * time.Second / time.Duration(rate))))
		}
	}
	for _, id := range ids {
		if _, err := engine.Wait(b.Context(), id); err != nil {
			return err
		}
	}
	return nil
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
