package post

import (
	"context"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// faults strikes the steps that -fail and -hang name. It is middleware: the
// handlers know nothing of it. All tasks of a run share its counts.
type faults struct {
	mu   sync.Mutex
	fail map[string]failure
	hang map[string]time.Duration

	worked func(step string) // is called when a handler has done its work
}

func newFaults(o *options, worked func(step string)) *faults {
	return &faults{fail: o.fail, hang: o.hang, worked: worked}
}

// The codes of faults that a flag asked for.
const (
	codeAnswerLost = "ANSWER_LOST"
	codeInjected   = "INJECTED_FAILURE"
)

// middleware delays a step, then runs it. A retryable fault is the nasty
// kind: the work is done and the answer is lost on its way back, as when a
// connection breaks. A permanent one strikes before anything is done.
func (f *faults) middleware(next tasker.Runner) tasker.Runner {
	return func(ctx context.Context) (any, error) {
		a := tasker.Current(ctx)
		step := faultName(a.Step, a.Undo)
		lost, permanent := f.takeFailure(step) // counts attempts, also one that hangs until its time is over
		if err := wait(ctx, f.takeHang(step)); err != nil {
			return nil, err
		}
		if permanent {
			return nil, tasker.Permanent(codeInjected, "%s fails for good, as -fail asks", step)
		}
		result, err := next(ctx)
		f.worked(step)
		if lost {
			return nil, tasker.Retryable(codeAnswerLost, "the answer of %s was lost, as -fail asks", step)
		}
		return result, err
	}
}

// faultName is what the flags that break things call a step, or its undoing.
func faultName(step string, undo bool) string {
	if undo {
		return undoPrefix + step
	}
	return step
}

const undoPrefix = "undo:"

func (f *faults) takeHang(step string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.hang[step]
	delete(f.hang, step)
	return d
}

func (f *faults) takeFailure(step string) (lost, permanent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.fail[step]
	if left.times > 0 {
		f.fail[step] = failure{times: left.times - 1}
	}
	return left.times > 0, left.permanent
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
