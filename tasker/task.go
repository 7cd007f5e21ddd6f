package tasker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	Trace         string          `json:"-"`                  // W3C traceparent that it was submitted with; "" for none
	Error         *Error          `json:"error,omitempty"`    // what no step is to blame for: TASK_DEADLINE
	Steps         []TaskStep      `json:"steps"`              // in template order

	template *template.Template
	seq      int64 // position of the last record folded
	claimed  bool
	expired  bool
	since    time.Time // when its time began to run
	bytes    int       // context and results together

	unmet  []int32                  // per step: dependencies that are not done
	counts [len(stepStateNames)]int // steps by state
	ready  int                      // pending steps with no unmet dependency
	failed int                      // steps in error that are not optional
	starts int                      // of its steps, counted to know their order

	cancelled bool // by an operator who asked that what was done be undone
	undoing   bool // from here on steps are undone: undo.go
	undo      []int
}

// TaskStep is one step of a [Task].
type TaskStep struct {
	Name      string   `json:"name"`
	DependsOn []string `json:"depends_on,omitempty"`
	Progress
	Compensation *Progress `json:"compensation,omitempty"` // its undoing; nil when it is not undone

	began   int  // its place in the order in which steps first started; 0 for never
	unclear bool // an attempt failed in a way that leaves open whether it took effect
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
		t.Steps[i].Name, t.Steps[i].DependsOn = step.Name, step.Dependencies
		t.Steps[i].MaxAttempts = step.Retry.Attempts()
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

// happen folds an event that is about to be recorded, and notes in it what it
// changes.
func (t *Task) happen(e *Event, at time.Time) error {
	var p *Progress
	if i, ok := t.template.Graph().Index[e.Step]; ok {
		p = t.progress(i)
	}
	c := &e.Change
	if c.TaskFrom = t.State; p != nil {
		c.From = p.State
	}
	if err := t.fold(e, at); err != nil {
		return err
	}
	if c.TaskTo = t.State; p != nil {
		c.To = p.State
	}
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
		t.Context, t.CreatedAt, t.since, t.bytes, t.Trace = e.Context, at, at, len(e.Context), e.Trace
	case Claimed:
		t.claimed = true
	case Expired:
		t.expired = true
		t.Error = Permanent(CodeDeadline, "the task is not done after %v", t.template.MaxDuration)
	case RetriedByHand:
		t.expired, t.Error, t.since = false, nil, at
	case Undoing:
		t.close(Undoing, at)
		t.beginUndoing()
	case Cancelled:
		if e.Undo {
			t.cancelled = true
			t.close(Undoing, at) // what runs has yet to tell how it ended
			break
		}
		t.end(e.Kind, TaskCancelled, at)
		return nil
	case ResolvedByHand:
		t.end(Cancelled, TaskResolved, at)
		return nil
	case Finished:
		t.end(e.Kind, e.TaskState, at)
		return nil
	default:
		return fmt.Errorf("%s names no step", e.Kind)
	}
	t.State = t.settled()
	return nil
}

// close ends what is open of the steps, as the table has it for a kind of event.
func (t *Task) close(kind EventKind, at time.Time) {
	for i := range t.Steps {
		if to := stepTable[t.Steps[i].State][kind]; to.legal {
			t.enter(i, to.to, at)
		}
		if undo := t.Steps[i].Compensation; undo != nil && stepTable[undo.State][kind].legal {
			undo.enter(stepTable[undo.State][kind].to, at)
		}
	}
}

func (t *Task) end(kind EventKind, state TaskState, at time.Time) {
	t.close(kind, at)
	t.FinishedAt, t.State = at, state
}

// progress is what happens to step i now: its attempts, or those to undo it.
// nil when it is not undone.
func (t *Task) progress(i int) *Progress {
	if t.undoing {
		return t.Steps[i].Compensation
	}
	return &t.Steps[i].Progress
}

func (t *Task) foldStep(e *Event, at time.Time) error {
	i, ok := t.template.Graph().Index[e.Step]
	if !ok {
		return fmt.Errorf("the template has no step %q", e.Step)
	}
	s, p := &t.Steps[i], t.progress(i)
	if e.Undo != t.undoing || p == nil {
		return fmt.Errorf("step %s: %s belongs to its undoing: %t, and the task is undone: %t", e.Step, e.Kind, e.Undo, t.undoing)
	}
	to := stepTable[p.State][e.Kind]
	if !to.legal {
		return fmt.Errorf("step %s cannot go on from %s by %s", e.Step, p.State, e.Kind)
	}
	switch {
	case e.Kind == Started && p.resumes && e.Attempt == p.starts:
		// the attempt that was parked goes on
	case e.Kind == Started:
		p.starts, p.resumes = e.Attempt, false
		p.Attempts++
		if p.StartedAt.IsZero() {
			p.StartedAt = at
		}
		if t.starts++; s.began == 0 {
			s.began = t.starts
		}
	case e.Attempt != p.starts:
		return fmt.Errorf("step %s: %s is of attempt %d, the last one started is %d", e.Step, e.Kind, e.Attempt, p.starts)
	}
	t.bytes += p.fold(e, at)
	s.unclear = s.unclear || leavesUnclear(e) || e.Kind == FailedByHand && p.State == StepInProgress
	if t.undoing {
		p.enter(to.to, at)
	} else {
		t.enter(i, to.to, at)
	}
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
	s.enter(to, at)
	optional := t.template.Steps[i].Optional
	switch warning := s.Name + " failed: "; {
	case to == StepError && optional:
		t.Warnings = append(t.Warnings, warning+s.Error.Error())
	case to == StepError:
		t.failed++
	case from == StepError && optional:
		t.Warnings = slices.DeleteFunc(t.Warnings, func(w string) bool { return strings.HasPrefix(w, warning) })
	case from == StepError:
		t.failed--
	}
	switch before, after := satisfies(from, optional), satisfies(to, optional); {
	case after && !before:
		t.satisfy(i, -1)
	case before && !after:
		t.satisfy(i, 1)
	}
}

// satisfy tells the steps that depend on step i that it is done, or, with +1,
// that it is not done any more.
func (t *Task) satisfy(i int, change int32) {
	for _, c := range t.template.Graph().Children[i] {
		was := t.unmet[c]
		t.unmet[c] += change
		switch pending := t.Steps[c].State == StepPending; {
		case pending && t.unmet[c] == 0:
			t.ready++
		case pending && was == 0:
			t.ready--
		}
	}
}

// failing says that no attempt starts any more.
func (t *Task) failing() bool { return t.failed > 0 || t.expired || t.cancelled }

// compensates says that the task, when it is failing, is going to be undone.
func (t *Task) compensates() bool {
	return t.cancelled || t.template.OnFailure == template.Compensate
}

// done says that every step is done, or failed where it may.
func (t *Task) done() bool {
	return t.counts[StepComplete]+t.counts[StepResolved]+t.counts[StepSkipped]+t.counts[StepError]-t.failed == len(t.Steps)
}

// settled is the state that follows from the steps, for a task that has not
// ended.
func (t *Task) settled() TaskState {
	switch {
	case t.undoing:
		return t.settledUndo()
	case t.counts[StepInProgress] > 0:
		return TaskInProgress
	case t.failing() && !t.compensates() && t.template.OnFailure == template.Block:
		return TaskBlocked
	case !t.claimed:
		return TaskPending
	case t.failing() || t.ready > 0:
		return TaskInProgress
	case t.counts[StepWaitingForRetry] > 0:
		return TaskWaitingForRetry
	case t.counts[StepWaiting] > 0:
		return TaskWaiting
	default:
		return TaskInProgress
	}
}

// isUnderWay says that an attempt was started and has no outcome.
func (t *Task) isUnderWay() bool {
	if t.undoing {
		_, p := t.undoNext()
		return p != nil && p.State == StepInProgress
	}
	return t.counts[StepInProgress] > 0
}

// awaited lists the tasks that steps wait for.
func (t *Task) awaited() (tasks []ID) {
	if t.counts[StepWaiting] == 0 {
		return nil
	}
	seen := map[ID]bool{{}: true} // a question awaits no task
	for i := range t.Steps {
		if wait := t.Steps[i].Wait; wait != nil && !seen[wait.Task] {
			seen[wait.Task] = true
			tasks = append(tasks, wait.Task)
		}
	}
	return tasks
}
