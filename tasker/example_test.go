package tasker_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// An order is charged, then shipped.
func Example() {
	order, err := template.Parse("order.yaml", []byte(`
name: order
namespace_name: shop
version: 1.0.0
steps:
  - {name: charge, handler: {callable: shop.Charge}}
  - {name: ship, handler: {callable: shop.Ship}, dependencies: [charge]}
`))
	if err != nil {
		log.Fatal(err)
	}
	type chargeInput struct {
		Cents int `context:"cents"`
	}
	type shipInput struct {
		Paid int `result:"charge"`
	}
	handlers := tasker.Handlers{
		"shop.Charge": tasker.Step(func(ctx context.Context, in chargeInput) (int, error) {
			// A gateway would be told tasker.Key(ctx).
			return in.Cents, nil
		}),
		"shop.Ship": tasker.Step(func(_ context.Context, in shipInput) (string, error) {
			return fmt.Sprintf("shipped for %d cents", in.Paid), nil
		}),
	}
	engine, err := tasker.New(tasker.Config{Store: memory.New(), Templates: []*template.Template{order}, Handlers: handlers})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := engine.Start(ctx); err != nil {
		log.Fatal(err)
	}
	made, err := engine.Submit(ctx, tasker.Request{
		Namespace: "shop", Name: "order", Context: map[string]any{"cents": 1250}, IdempotencyKey: "order-1",
	})
	if err != nil {
		log.Fatal(err)
	}
	task, err := engine.Wait(ctx, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", task.State, task.Steps[1].Result)
	if err := engine.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: complete: "shipped for 1250 cents"
}
