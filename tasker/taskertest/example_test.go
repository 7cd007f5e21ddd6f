package taskertest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// The bank moves the money, and its first answer is lost on the way. A test
// would have a *testing.T where this example has a stand-in for it.
func Example() {
	t := newExampleT()
	defer t.finish()

	order, err := template.Parse("order.yaml", []byte(`
namespace_name: shop
name: order
version: 1.0.0
steps:
  - {name: charge, handler: {callable: charge}, retry: {limit: 3, backoff_base_ms: 5}}
  - {name: ship, handler: {callable: ship}, dependencies: [charge], retry: {retryable: false}}
`))
	if err != nil {
		t.Fatal(err)
	}
	moved := map[string]int{} // by idempotency key
	handlers := tasker.Handlers{
		"charge": tasker.Step(func(ctx context.Context, in struct {
			Cents int `context:"cents"`
		}) (string, error) {
			moved[tasker.Key(ctx)] = in.Cents
			return "paid", nil
		}),
		"ship": tasker.Step(func(context.Context, struct{}) (any, error) {
			return nil, errors.New("there is no van")
		}),
	}

	s := taskertest.New(t, []*template.Template{order}, handlers, taskertest.OnMemory(t),
		taskertest.LoseAnswer("charge", 1))
	id := s.Submit("shop/order", map[string]any{"cents": 1250})
	task := s.Expect(id).Is(tasker.TaskBlocked)
	task.Step("charge").Completed().After(2).Gave("paid")
	task.Step("ship").Failed(tasker.CodeUnexpected).After(1)

	fmt.Println(len(moved), "charge,", task.Step("ship").Error)
	// Output: 1 charge, UNEXPECTED_ERROR: there is no van
}
