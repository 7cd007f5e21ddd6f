package tasker

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Task is the state that a task's log folds into. It knows no clock and does
// no I/O: [Fold] builds it from records, and the worker asks it what may
// happen next. As JSON it is a task of a run report.
type Task struct {
	ID            ID              `json:"id"`
	Namespace     string          `json:"namespace"`
	Name          string          `json:"name"`
	Version       string          `json:"version"`
	State         TaskState       `json:"state"`
	Context       json.RawMessage `json:"context"`
	CorrelationID string          `json:"correlation_id,omitempty"`
	ParentID      ID              `json:"parent_id,omitzero"`
	CreatedAt     time.Time       `json:"created_at"`
	FinishedAt    time.Time       `json:"finished_at,omitzero"`
	Warnings      []string        `json:"warnings,omitempty"` // optional steps that failed
	Error         *Error          `json:"error,omitempty"`    // what no step is to blame for: TASK_DEADLINE
	Steps         []TaskStep      `json:"steps"`              // in template order

	template *template.Template
	seq      int64 // position of the last record folded
	claimed  bool
	expired  bool
	bytes    int // context and results together

	unmet  []int32                  // per step: dependencies that are not done
	counts [len(stepStateNames)]int // steps by state
	ready  int                      // pending steps with no unmet dependency
	failed int                      // steps in error that are not optional
}

// TaskStep is one step of a [Task].
type TaskStep struct {
	Name         string          `json:"name"`
	State        StepState       `json:"state"`
	Attempts     int             `json:"attempts"` // with the one that runs, without lost ones
	LostAttempts int             `json:"lost_attempts,omitempty"`
	MaxAttempts  int             `json:"max_attempts"`
	DependsOn    []string        `json:"depends_on,omitempty"`
	Result       json.RawMessage `json:"result,omitempty"`
	Metadata     json.RawMessage `json:"metadata,omitempty"`
	Error        *Error          `json:"error,omitempty"` // of the last failure; gone after a success
	StartedAt    time.Time       `json:"started_at,omitzero"`
	FinishedAt   time.Time       `json:"finished_at,omitzero"`
	RetryAt      time.Time       `json:"-"` // when the next attempt is due, in waiting_for_retry

	starts int // attempts ever started: the number of the last one
}

// Fold builds a task from its row and its log. An error means that the log
// cannot have come from this template.
func Fold(of *template.Template, log Log) (*Task, error) {
	t := newTask(of, log.Row)
	for i := range log.Records {
		if err := t.apply(&log.Records[i]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func newTask(of *template.Template, row Row) *Task {
	t := &Task{
		ID: row.ID, Namespace: row.Namespace, Name: row.Name, Version: row.Version,
		CorrelationID: row.CorrelationID, ParentID: row.Parent, CreatedAt: row.CreatedAt,
		Steps:    make([]TaskStep, len(of.Steps)),
		template: of,
		unmet:    make([]int32, len(of.Steps)),
	}
	for i := range t.Steps {
		step := &of.Steps[i]
		t.Steps[i] = TaskStep{Name: step.Name, MaxAttempts: step.Retry.Attempts(), DependsOn: step.Dependencies}
		t.unmet[i] = int32(len(step.Dependencies))
		if t.unmet[i] == 0 {
			t.ready++
		}
	}
	t.counts[StepPending] = len(t.Steps)
	return t
}

// apply folds one record.
func (t *Task) apply(r *Record) error {
	if r.Seq != t.seq+1 {
		return fmt.Errorf("task %s: record %d follows record %d", t.ID, r.Seq, t.seq)
	}
	for i := range r.Events {
		if err := t.fold(&r.Events[i], r.At); err != nil {
			return fmt.Errorf("task %s, record %d: %w", t.ID, r.Seq, err)
		}
	}
	t.seq = r.Seq
	return nil
}

// fold takes one event into the state.
func (t *Task) fold(e *Event, at time.Time) error {
	if t.State.Final() {
		return fmt.Errorf("%s happens to a task that has ended", e.Kind)
	}
	if e.Step != "" {
		if err := t.foldStep(e, at); err != nil {
			return err
		}
		t.State = t.settled()
		return nil
	}
	switch e.Kind {
	case Submitted:
		t.Context, t.CreatedAt, t.bytes = e.Context, at, len(e.Context)
	case Claimed:
		t.claimed = true
	case Expired:
		t.expired = true
		t.Error = Permanent(CodeDeadline, "the task is not done %v after its submit", t.template.MaxDuration)
	case Cancelled, Finished:
		for i := range t.Steps {
			if to := stepTable[t.Steps[i].State][e.Kind]; to.legal {
				t.enter(i, to.to, at)
			}
		}
		t.FinishedAt = at
		t.State = TaskCancelled
		if e.Kind == Finished {
			t.State = e.TaskState
		}
		return nil
	default:
		return fmt.Errorf("%s names no step", e.Kind)
	}
	t.State = t.settled()
	return nil
}

func (t *Task) foldStep(e *Event, at time.Time) error {
	i, ok := t.template.Graph().Index[e.Step]
	if !ok {
		return fmt.Errorf("the template has no step %q", e.Step)
	}
	s := &t.Steps[i]
	to := stepTable[s.State][e.Kind]
	if !to.legal {
		return fmt.Errorf("step %s cannot go on from %s by %s", e.Step, s.State, e.Kind)
	}
	if e.Kind == Started {
		s.starts = e.Attempt
		s.Attempts++
		if s.StartedAt.IsZero() {
			s.StartedAt = at
		}
	} else if e.Attempt != s.starts {
		return fmt.Errorf("step %s: %s is of attempt %d, the last one started is %d", e.Step, e.Kind, e.Attempt, s.starts)
	}
	switch e.Kind {
	case Completed:
		s.Result, s.Metadata, s.Error = e.Result, e.Metadata, nil
		t.bytes += len(e.Result) + len(e.Metadata)
	case Retrying:
		s.Error, s.Metadata, s.RetryAt = e.Error, e.Metadata, at.Add(e.Delay)
	case Failed:
		s.Error, s.Metadata = e.Error, e.Metadata
		if t.template.Steps[i].Optional {
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s failed: %s", s.Name, e.Error))
		}
	case Lost:
		s.Attempts--
		s.LostAttempts++
	case Withdrawn:
		s.Attempts--
	}
	t.enter(i, to.to, at)
	return nil
}

// enter puts step i into a state and keeps the counts that follow from it.
func (t *Task) enter(i int, to StepState, at time.Time) {
	s := &t.Steps[i]
	from := s.State
	if from == StepPending && t.unmet[i] == 0 {
		t.ready--
	}
	if to == StepPending && t.unmet[i] == 0 {
		t.ready++
	}
	t.counts[from]--
	t.counts[to]++
	s.State = to
	if !to.open() {
		s.FinishedAt = at
	}
	optional := t.template.Steps[i].Optional
	if to == StepError && !optional {
		t.failed++
	}
	if satisfies(to, optional) {
		for _, c := range t.template.Graph().Children[i] {
			t.unmet[c]--
			if t.unmet[c] == 0 && t.Steps[c].State == StepPending {
				t.ready++
			}
		}
	}
}

// satisfies says whether steps that depend on a step in this state may run.
func satisfies(s StepState, optional bool) bool {
	return s == StepComplete || s == StepResolved || s == StepSkipped || s == StepError && optional
}

// failing says that no attempt starts any more.
func (t *Task) failing() bool { return t.failed > 0 || t.expired }

// done says that every step is done, or failed where it may.
func (t *Task) done() bool {
	return t.counts[StepComplete]+t.counts[StepResolved]+t.counts[StepSkipped]+t.counts[StepError]-t.failed == len(t.Steps)
}

// settled is the state that follows from the steps, for a task that has not
// ended.
func (t *Task) settled() TaskState {
	switch {
	case t.counts[StepInProgress] > 0:
		return TaskInProgress
	case t.failing() && t.template.OnFailure == template.Block:
		return TaskBlocked
	case !t.claimed:
		return TaskPending
	case t.failing() || t.ready > 0 || t.counts[StepWaitingForRetry] == 0:
		return TaskInProgress
	default:
		return TaskWaitingForRetry
	}
}
