package main

import (
	"context"
	"encoding/json"

	"github.com/tasker-systems/tasker-go/tasker"
)

// sayWhatItIsWorth is middleware. Beside the outcome of every attempt it notes
// whose checkout it was and what it is worth: an event's payload is made of
// what the step gave and of these notes. So an event of a failure can say what
// the failure costs, and no handler need know that events exist.
func sayWhatItIsWorth(next tasker.Runner) tasker.Runner {
	return func(ctx context.Context) (any, error) {
		a := tasker.Current(ctx)
		if a.Undo {
			return next(ctx)
		}
		var checkout map[string]json.RawMessage
		_ = json.Unmarshal(a.Context(), &checkout) // the schema has checked it
		for _, field := range []string{"customer_tier", "order_value", "payment_method"} {
			tasker.Annotate(ctx, field, checkout[field])
		}
		return next(ctx)
	}
}
