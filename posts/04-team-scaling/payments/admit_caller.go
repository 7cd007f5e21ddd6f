package payments

import (
	"context"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker"
)

type admitInput struct {
	Callers         []string `initialization:"callers"`
	DeprecatedSince string   `initialization:"deprecated_since"`
}

// Admission is what the task handler adds to a task's context.
type Admission struct {
	DeprecatedSince string `json:"deprecated_since,omitempty"` // a version: pin that one
}

// AdmitCaller stands at the door of the namespace: it runs when a task is
// submitted, and of the other teams lets in those that the template lists. Who
// calls is what the engine says, not what the request says of itself. A
// submit from outside of all handlers has no caller, and comes from somebody
// who has the engine in hand.
func (d *Desk) AdmitCaller(ctx context.Context, in admitInput) (Admission, error) {
	caller := tasker.Current(ctx).Caller
	if caller != "" && caller != Namespace && !slices.Contains(in.Callers, caller) {
		return Admission{}, tasker.Permanent("CALLER_NOT_ALLOWED",
			"%s may not submit into %s; it lets in %s. Ask its owner to be listed under callers",
			caller, Namespace, strings.Join(in.Callers, ", "))
	}
	return Admission{DeprecatedSince: in.DeprecatedSince}, nil
}
