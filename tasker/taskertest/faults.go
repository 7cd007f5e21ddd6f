package taskertest

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Fail fails the first attempts of a step, before it has done anything, in a
// way that another attempt may help: code INJECTED_FAILURE. Each task counts
// its own attempts; those that were lost with a worker count too.
func Fail(step string, attempts int) Option {
	return fault(step, func(ctx context.Context, next tasker.Runner) (any, error) {
		if n := tasker.Current(ctx).Number; n <= attempts {
			return nil, tasker.Retryable("INJECTED_FAILURE", "attempt %d of %s fails, as the test asks", n, step)
		}
		return next(ctx)
	})
}

// LoseAnswer lets the first attempts of a step do their work, and loses the
// answer: code ANSWER_LOST. It is the failure that only idempotency keys help
// against.
func LoseAnswer(step string, attempts int) Option {
	return fault(step, func(ctx context.Context, next tasker.Runner) (any, error) {
		result, err := next(ctx)
		if n := tasker.Current(ctx).Number; err == nil && n <= attempts {
			return nil, tasker.Retryable("ANSWER_LOST", "the answer of attempt %d of %s is lost, as the test asks", n, step)
		}
		return result, err
	})
}

// FailForGood fails a step so that no other attempt helps: code
// INJECTED_FAILURE.
func FailForGood(step string) Option {
	return fault(step, func(context.Context, tasker.Runner) (any, error) {
		return nil, tasker.Permanent("INJECTED_FAILURE", "%s fails for good, as the test asks", step)
	})
}

// Hang holds up the first attempt of a step for that long before it begins,
// or, with 0, until its context ends.
func Hang(step string, d time.Duration) Option {
	return fault(step, func(ctx context.Context, next tasker.Runner) (any, error) {
		if tasker.Current(ctx).Number > 1 {
			return next(ctx)
		}
		var over <-chan time.Time
		if d > 0 {
			over = time.After(d)
		}
		select {
		case <-over:
			return next(ctx)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
}

// Panic makes a step panic, which ends it: code HANDLER_PANIC.
func Panic(step string) Option {
	return fault(step, func(context.Context, tasker.Runner) (any, error) {
		panic(step + " panics, as the test asks")
	})
}

// fault runs in place of a step, and may run what it stands before.
func fault(step string, run func(ctx context.Context, next tasker.Runner) (any, error)) Option {
	return func(config *tasker.Config) {
		config.Middleware = append(config.Middleware, func(next tasker.Runner) tasker.Runner {
			return func(ctx context.Context) (any, error) {
				if a := tasker.Current(ctx); named(a.Step, a.Undo) != step {
					return next(ctx)
				}
				return run(ctx, next)
			}
		})
	}
}

// named is what faults call a step, or its undoing.
func named(step string, undo bool) string {
	if undo {
		return "undo:" + step
	}
	return step
}
