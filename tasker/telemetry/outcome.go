package telemetry

import (
	"context"
	"errors"

	"github.com/tasker-systems/tasker-go/tasker"
)

// outcome is how an attempt ended, as spans, metrics and log lines name it.
type outcome uint8

const (
	none outcome = iota
	success
	retryableError
	permanentError
	timeout
	parked
	cancelled
	lost
	withdrawn
	outcomes
)

func (o outcome) String() string {
	return [...]string{"", "success", "retryable_error", "permanent_error", "timeout", "parked", "cancelled", "lost", "withdrawn"}[o]
}

// outcomeOf is what an event says of an attempt; none for what is not about
// the end of one.
func outcomeOf(e *tasker.Event) outcome {
	switch e.Kind {
	case tasker.Completed:
		return success
	case tasker.Retrying, tasker.Failed:
		switch {
		case e.Error.Code == tasker.CodeTimeout:
			return timeout
		case e.Error.Kind == tasker.KindPermanent:
			return permanentError
		default:
			return retryableError
		}
	case tasker.Parked:
		return parked
	case tasker.Lost:
		return lost
	case tasker.Withdrawn:
		return withdrawn
	default:
		return none
	}
}

// outcomeOfReturn is how a handler ended, before the engine has judged it.
func outcomeOfReturn(ctx context.Context, err error, panicked bool) outcome {
	var verdict *tasker.Error
	switch {
	case panicked:
		return permanentError
	case err == nil:
		return success
	case errors.Is(err, tasker.ErrParked):
		return parked
	case errors.Is(context.Cause(ctx), tasker.ErrLeaseLost):
		return lost
	case errors.Is(context.Cause(ctx), context.Canceled):
		return cancelled
	case ctx.Err() != nil:
		return timeout
	case errors.As(err, &verdict) && verdict.Kind == tasker.KindPermanent:
		return permanentError
	default:
		return retryableError
	}
}
