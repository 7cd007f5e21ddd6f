// Package inventory is a third team. It has a process_refund as well, and would
// like payments to move the money for it: payments does not let it in yet.
package inventory

import (
	"context"
	"embed"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Namespace is the team's own: every template and every handler of it.
const Namespace = "inventory"

// Templates is process_refund.
//
//go:embed templates/*.yaml
var Templates embed.FS

// Handlers is the team's table of contents.
func Handlers(*post.World) tasker.Handlers {
	return tasker.Handlers{"inventory.RefundReturnHandler": tasker.Step(RefundReturn)}
}

// RefundReturn asks payments for the money of what came back. Its request is
// as good as any: it is refused for who it is.
func RefundReturn(ctx context.Context, _ struct{}) (tasker.ID, error) {
	made, err := tasker.Submit(ctx, tasker.Request{
		Namespace: "payments", Name: "process_refund", Version: "2.1.0",
		Context: map[string]any{
			"payment_id": "pay_test_12345abc", "refund_amount": 100,
			"customer_email": "customer@example.com",
			"initiated_by":   "customer_success", // claiming to be somebody else does not help
		},
	})
	return made.ID, err
}
