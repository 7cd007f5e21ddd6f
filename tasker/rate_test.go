package tasker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// payload is what every step of the benchmarks reads and writes: about 200
// bytes of JSON.
type payload struct {
	Task int    `json:"task"`
	Step string `json:"step"`
	Sum  int    `json:"sum"`
	Pad  string `json:"pad"`
}

var pad = strings.Repeat("0123456789abcdef", 10)[:150]

func (p payload) step(name string, others ...payload) payload {
	for _, o := range others {
		p.Sum += o.Sum
	}
	return payload{Task: p.Task, Step: name, Sum: p.Sum + 1, Pad: pad}
}

const chainOfFive = `
name: l5
namespace_name: bench
version: 1.0.0
steps:
  - {name: s0, handler: {callable: s0}, timeout_seconds: 30}
  - {name: s1, handler: {callable: s1}, timeout_seconds: 30, dependencies: [s0]}
  - {name: s2, handler: {callable: s2}, timeout_seconds: 30, dependencies: [s1]}
  - {name: s3, handler: {callable: s3}, timeout_seconds: 30, dependencies: [s2]}
  - {name: s4, handler: {callable: s4}, timeout_seconds: 30, dependencies: [s3]}
`

const pipelineOfEight = `
name: d8
namespace_name: bench
version: 1.0.0
steps:
  - {name: extract0, handler: {callable: s0}, timeout_seconds: 30}
  - {name: extract1, handler: {callable: s0}, timeout_seconds: 30}
  - {name: extract2, handler: {callable: s0}, timeout_seconds: 30}
  - {name: transform0, handler: {callable: t0}, timeout_seconds: 30, dependencies: [extract0]}
  - {name: transform1, handler: {callable: t1}, timeout_seconds: 30, dependencies: [extract1]}
  - {name: transform2, handler: {callable: t2}, timeout_seconds: 30, dependencies: [extract2]}
  - {name: aggregate, handler: {callable: aggregate}, timeout_seconds: 30, dependencies: [transform0, transform1, transform2]}
  - {name: insights, handler: {callable: insights}, timeout_seconds: 30, dependencies: [aggregate]}
`

// Each of these reads one step's result.
type (
	afterS0 struct {
		P payload `result:"s0"`
	}
	afterS1 struct {
		P payload `result:"s1"`
	}
	afterS2 struct {
		P payload `result:"s2"`
	}
	afterS3 struct {
		P payload `result:"s3"`
	}
	afterExtract0 struct {
		P payload `result:"extract0"`
	}
	afterExtract1 struct {
		P payload `result:"extract1"`
	}
	afterExtract2 struct {
		P payload `result:"extract2"`
	}
	afterAggregate struct {
		P payload `result:"aggregate"`
	}
)

var benchHandlers = tasker.Handlers{
	"s0": tasker.Step(func(_ context.Context, in struct {
		P payload `context:"."`
	}) (payload, error) {
		return in.P.step("s0"), nil
	}),
	"aggregate": tasker.Step(func(_ context.Context, in struct {
		A payload `result:"transform0"`
		B payload `result:"transform1"`
		C payload `result:"transform2"`
	}) (payload, error) {
		return in.A.step("aggregate", in.B, in.C), nil
	}),
	"s1":       tasker.Step(func(_ context.Context, in afterS0) (payload, error) { return in.P.step("s1"), nil }),
	"s2":       tasker.Step(func(_ context.Context, in afterS1) (payload, error) { return in.P.step("s2"), nil }),
	"s3":       tasker.Step(func(_ context.Context, in afterS2) (payload, error) { return in.P.step("s3"), nil }),
	"s4":       tasker.Step(func(_ context.Context, in afterS3) (payload, error) { return in.P.step("s4"), nil }),
	"t0":       tasker.Step(func(_ context.Context, in afterExtract0) (payload, error) { return in.P.step("t0"), nil }),
	"t1":       tasker.Step(func(_ context.Context, in afterExtract1) (payload, error) { return in.P.step("t1"), nil }),
	"t2":       tasker.Step(func(_ context.Context, in afterExtract2) (payload, error) { return in.P.step("t2"), nil }),
	"insights": tasker.Step(func(_ context.Context, in afterAggregate) (payload, error) { return in.P.step("insights"), nil }),
}

// BenchmarkTheMemoryStore runs 2,000 tasks that were submitted before the
// worker starts.
func BenchmarkTheMemoryStore(b *testing.B) {
	const tasks = 2000
	for _, source := range []string{chainOfFive, pipelineOfEight} {
		tpl, err := template.Parse("bench.yaml", []byte(source))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(tpl.Name, func(b *testing.B) {
			var drain time.Duration
			for b.Loop() {
				drain += drainTasks(b, tpl, tasks)
			}
			b.ReportMetric(float64(b.N*tasks*len(tpl.Steps))/drain.Seconds(), "steps/s")
		})
	}
}

func drainTasks(b *testing.B, tpl *template.Template, tasks int) time.Duration {
	store := memory.New()
	engine, err := tasker.New(tasker.Config{Store: store, Templates: []*template.Template{tpl}, Handlers: benchHandlers})
	if err != nil {
		b.Fatal(err)
	}
	requests := make([]tasker.Request, tasks)
	for i := range requests {
		requests[i] = tasker.Request{Namespace: "bench", Name: tpl.Name, Context: payload{Task: i, Step: "input", Pad: pad}}
	}
	submissions, err := engine.SubmitAll(b.Context(), requests)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := engine.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, s := range submissions {
		task, err := engine.Wait(b.Context(), s.ID)
		if err != nil || task.State != tasker.TaskComplete {
			b.Fatal(task.State, err)
		}
	}
	took := time.Since(began)
	if err := engine.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}

// BenchmarkOneTask is the time from a submit to the known end on an idle
// engine.
func BenchmarkOneTask(b *testing.B) {
	tpl, err := template.Parse("bench.yaml", []byte(chainOfFive))
	if err != nil {
		b.Fatal(err)
	}
	engine, err := tasker.New(tasker.Config{Store: memory.New(), Templates: []*template.Template{tpl}, Handlers: benchHandlers})
	if err != nil {
		b.Fatal(err)
	}
	if err := engine.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = engine.Stop(context.Background()) }()
	for b.Loop() {
		s, err := engine.Submit(b.Context(), tasker.Request{Namespace: "bench", Name: "l5", Context: payload{Step: "input", Pad: pad}})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := engine.Wait(b.Context(), s.ID); err != nil {
			b.Fatal(err)
		}
	}
}
