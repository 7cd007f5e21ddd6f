package tasker

import (
	"math"
	"time"
)

// Status is a task at a glance, in the words of the older engines: what is
// going on, what to do about it and how well it goes.
type Status struct {
	ExecutionStatus      string  `json:"execution_status"`
	RecommendedAction    string  `json:"recommended_action"`
	Health               string  `json:"health_status"`
	CompletionPercentage float64 `json:"completion_percentage"`
	Total                int     `json:"total_steps"`
	Pending              int     `json:"pending_steps"`
	InProgress           int     `json:"in_progress_steps"`
	WaitingForRetry      int     `json:"waiting_for_retry_steps"`
	Waiting              int     `json:"waiting_steps"`   // for an answer, or for another task
	Completed            int     `json:"completed_steps"` // with those resolved by hand
	Failed               int     `json:"failed_steps"`
	Ready                int     `json:"ready_steps"` // have all that they wait for
}

// Status derives a task's status at now, which is the store's time. That a
// step has failed for good is tested before everything else: a task may have
// failed steps and ready ones at once, and it is the failed one that a person
// needs to hear of.
func (t *Task) Status(now time.Time) Status {
	s := Status{
		Total:           len(t.Steps),
		Pending:         t.counts[StepPending],
		InProgress:      t.counts[StepInProgress],
		WaitingForRetry: t.counts[StepWaitingForRetry],
		Waiting:         t.counts[StepWaiting],
		Completed:       t.counts[StepComplete] + t.counts[StepResolved],
		Failed:          t.counts[StepError],
	}
	for i := range t.Steps {
		if !t.State.Final() && t.due(i, now) {
			s.Ready++
		}
	}
	switch {
	case t.undoing && t.State != TaskBlocked:
		s.ExecutionStatus, s.RecommendedAction = "processing", "wait_for_completion"
	case t.failing():
		s.ExecutionStatus, s.RecommendedAction = "blocked_by_failures", "handle_failures"
	case s.Ready > 0:
		s.ExecutionStatus, s.RecommendedAction = "has_ready_steps", "execute_ready_steps"
	case s.InProgress > 0:
		s.ExecutionStatus, s.RecommendedAction = "processing", "wait_for_completion"
	case t.done():
		s.ExecutionStatus, s.RecommendedAction = "all_complete", "finalize_task"
	default:
		s.ExecutionStatus, s.RecommendedAction = "waiting_for_dependencies", "wait_for_dependencies"
	}
	switch {
	case t.failing():
		s.Health = "blocked"
	case s.Total == 0:
		s.Health = "unknown"
	case s.WaitingForRetry > 0:
		s.Health = "recovering"
	default:
		s.Health = "healthy"
	}
	if s.Total > 0 {
		s.CompletionPercentage = math.Round(float64(s.Completed)/float64(s.Total)*10_000) / 100
	}
	return s
}
