package main

import (
	"context"
	"embed"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

//go:embed L5.yaml D8.yaml
var files embed.FS

// flow is the template of a workload.
func flow(workload string) (*template.Template, error) {
	name := workload + ".yaml"
	source, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return template.Parse(name, source)
}

// P is what every step reads and writes.
type P = harness.Payload

// first is a step that reads the task's input.
func first(name string) tasker.Handler {
	return tasker.Step(func(_ context.Context, in struct {
		P P `context:"."`
	}) (P, error) {
		return run(name, in.P)
	})
}

func run(name string, in ...P) (P, error) {
	harness.Ran()
	return harness.Step(name, in...), nil
}

// Each of these reads one step's result.
type (
	afterS0 struct {
		P P `result:"s0"`
	}
	afterS1 struct {
		P P `result:"s1"`
	}
	afterS2 struct {
		P P `result:"s2"`
	}
	afterS3 struct {
		P P `result:"s3"`
	}
	afterExtract0 struct {
		P P `result:"extract0"`
	}
	afterExtract1 struct {
		P P `result:"extract1"`
	}
	afterExtract2 struct {
		P P `result:"extract2"`
	}
	afterTransforms struct {
		A P `result:"transform0"`
		B P `result:"transform1"`
		C P `result:"transform2"`
	}
	afterAggregate struct {
		P P `result:"aggregate"`
	}
)

// handlers of a workload: what the other peers' steps do, with typed inputs.
func handlers(workload string) tasker.Handlers {
	if workload == "L5" {
		return tasker.Handlers{
			"s0": first("s0"),
			"s1": tasker.Step(func(_ context.Context, in afterS0) (P, error) { return run("s1", in.P) }),
			"s2": tasker.Step(func(_ context.Context, in afterS1) (P, error) { return run("s2", in.P) }),
			"s3": tasker.Step(func(_ context.Context, in afterS2) (P, error) { return run("s3", in.P) }),
			"s4": tasker.Step(func(_ context.Context, in afterS3) (P, error) { return run("s4", in.P) }),
		}
	}
	return tasker.Handlers{
		"extract0":   first("extract0"),
		"extract1":   first("extract1"),
		"extract2":   first("extract2"),
		"transform0": tasker.Step(func(_ context.Context, in afterExtract0) (P, error) { return run("transform0", in.P) }),
		"transform1": tasker.Step(func(_ context.Context, in afterExtract1) (P, error) { return run("transform1", in.P) }),
		"transform2": tasker.Step(func(_ context.Context, in afterExtract2) (P, error) { return run("transform2", in.P) }),
		"aggregate":  tasker.Step(func(_ context.Context, in afterTransforms) (P, error) { return run("aggregate", in.A, in.B, in.C) }),
		"insights":   tasker.Step(func(_ context.Context, in afterAggregate) (P, error) { return run("insights", in.P) }),
	}
}
