package classic_test

import (
	"context"
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/classic"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

type price struct{}

func (price) Call(_ context.Context, task classic.Task, _ classic.Sequence, _ classic.StepInfo) (classic.Result, error) {
	var pieces int
	if err := task.Get("pieces", &pieces); err != nil {
		return classic.Result{}, err
	}
	return classic.Success(map[string]int{"total": 7 * pieces}, map[string]any{"operation": "price"}), nil
}

type charge struct{}

func (charge) Call(_ context.Context, _ classic.Task, sequence classic.Sequence, step classic.StepInfo) (classic.Result, error) {
	var priced struct{ Total int }
	if err := sequence.GetResults("price", &priced); err != nil {
		return classic.Result{}, err
	}
	if step.Attempt == 1 {
		return classic.Result{}, tasker.Retryable("GATEWAY_TIMEOUT", "no answer")
	}
	return classic.Success(map[string]any{"charged": priced.Total, "currency": step.Initialization["currency"]}, nil), nil
}

type nosy struct{}

func (nosy) Call(_ context.Context, _ classic.Task, sequence classic.Sequence, _ classic.StepInfo) (classic.Result, error) {
	return classic.Result{}, sequence.GetResults("nobody", new(int))
}

func Example() {
	checkout, err := template.Parse("checkout.yaml", []byte(`
:name: checkout
:namespace_name: shop
:version: 1.0.0
:steps:
  - :name: price
    :handler: {callable: Shop::PriceHandler}
  - :name: charge
    :dependencies: [price]
    :handler: {callable: Shop::ChargeHandler, initialization: {currency: USD}}
    :retry: {limit: 3, backoff_base_ms: 1}
  - :name: nosy
    :dependencies: [charge]
    :handler: {callable: Shop::NosyHandler}
`))
	if err != nil {
		panic(err)
	}
	engine, err := tasker.New(tasker.Config{
		Store: memory.New(), Templates: []*template.Template{checkout},
		Handlers: tasker.Handlers{
			"Shop::PriceHandler":  classic.Step(price{}),
			"Shop::ChargeHandler": classic.Step(charge{}),
			"Shop::NosyHandler":   classic.Step(nosy{}),
		},
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := engine.Start(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = engine.Stop(ctx) }()
	submitted, err := engine.Submit(ctx, tasker.Request{Namespace: "shop", Name: "checkout", Context: map[string]any{"pieces": 3}})
	if err != nil {
		panic(err)
	}
	task, err := engine.Wait(ctx, submitted.ID)
	if err != nil {
		panic(err)
	}
	for _, s := range task.Steps {
		fmt.Println(s.Name, s.State, s.Attempts, string(s.Result), string(s.Metadata), s.Error)
	}
	// Output:
	// price complete 1 {"total":21} {"operation":"price"} <nil>
	// charge complete 2 {"charged":21,"currency":"USD"}  <nil>
	// nosy error 1   MISSING_RESULT: nobody has no result for nosy; is it among its dependencies?
}
