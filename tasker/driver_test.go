package tasker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// TestTheMachineHoldsItsTables drives random tasks through random outcomes.
func TestTheMachineHoldsItsTables(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 0))
	for round := range 3000 {
		d := &driver{t: t, chance: chance, now: epoch, where: fmt.Sprintf("seed %d, round %d", seed, round)}
		d.drive(randomTemplate(t, chance))
		if t.Failed() {
			return
		}
	}
}

// driver plays the worker, the store and bad luck for one task.
type driver struct {
	t      *testing.T
	chance *rand.Rand
	task   *Task
	now    time.Time
	where  string
	log    []Record
}

func (d *driver) drive(template *template.Template) {
	d.task = newTask(template, Row{})
	d.store(Event{Kind: Submitted, Context: []byte(`{}`)})
	d.store(Event{Kind: Claimed})
	for steps := 0; !d.task.State.Final() && !d.t.Failed(); steps++ {
		switch {
		case steps > 3000:
			d.t.Fatalf("%s: the task does not come to an end: %s", d.where, d.task.State)
		case d.task.State != TaskBlocked:
			d.turn()
		case d.chance.IntN(10) == 0:
			d.refold() // and nobody helps
			return
		default:
			d.operate()
		}
	}
	d.refold()
}

// refold holds the task to what its log says.
func (d *driver) refold() {
	again, err := Fold(d.task.template, Log{Records: d.log})
	if err != nil {
		d.t.Fatalf("%s: the log does not fold: %v", d.where, err)
	}
	if got, want := fmt.Sprint(again.State, states(again)), fmt.Sprint(d.task.State, states(d.task)); got != want {
		d.t.Fatalf("%s: folded again the task is %s, it was %s", d.where, got, want)
	}
}

func (d *driver) turn() {
	n := d.task.next(d.now)
	switch {
	case n.event != nil:
		d.store(*n.event)
		return
	case len(n.start) > 0 && d.chance.IntN(3) > 0:
		i := n.start[d.chance.IntN(len(n.start))]
		d.mayStart(i)
		d.store(d.task.start(i))
		return
	case d.chance.IntN(20) == 0 && d.operate():
		return
	}
	var running []int
	for i := range d.task.Steps {
		if p := d.task.progress(i); p != nil && p.State == StepInProgress {
			running = append(running, i)
		}
	}
	if len(running) == 0 {
		if len(n.start) == 0 && n.wake.IsZero() && d.task.State != TaskWaiting {
			d.t.Fatalf("%s: nothing runs, may start or is waited for, and the task is %s", d.where, d.task.State)
		}
		d.now = d.now.Add(time.Hour)
		return
	}
	i := running[d.chance.IntN(len(running))]
	switch d.chance.IntN(9) {
	case 0:
		d.store(d.task.failure(i, Permanent("P", "p"), d.chance))
	case 1, 2:
		d.store(d.task.failure(i, Retryable("R", "r"), d.chance))
	case 3:
		d.store(d.task.lost(i)...)
	case 4:
		d.store(d.task.event(Withdrawn, i))
	case 5:
		if d.task.undoing {
			return // an undoing does not wait
		}
		e := d.task.event(Parked, i)
		e.Wait = &Wait{Name: "question", Expires: time.Duration(d.chance.IntN(3)) * 150 * time.Minute}
		d.store(e)
	default:
		e := d.task.event(Completed, i)
		e.Result = []byte(`1`)
		d.store(e)
	}
}

// mayStart holds a start to the order: at a step's first start all that it
// needs is there, and what began after a step is undone before it is.
func (d *driver) mayStart(i int) {
	of := d.task.template
	if !d.task.undoing {
		for _, p := range of.Graph().Parents[i] {
			s := d.task.Steps[p]
			if d.began(i) < 0 && !satisfies(s.State, of.Steps[p].Optional) {
				d.t.Fatalf("%s: %s may start while %s is %s", d.where, d.task.Steps[i].Name, s.Name, s.State)
			}
		}
		return
	}
	for j := range d.task.Steps {
		undo := d.task.Steps[j].Compensation
		if undo != nil && d.began(j) > d.began(i) && !satisfies(undo.State, false) {
			d.t.Fatalf("%s: %s may be undone while %s, which began later, is not: its undoing is %s", d.where, d.task.Steps[i].Name, d.task.Steps[j].Name, undo.State)
		}
	}
}

// began is where in the log step i first started; -1 for never.
func (d *driver) began(i int) int {
	return slices.IndexFunc(d.log, func(r Record) bool {
		return slices.ContainsFunc(r.Events, func(e Event) bool {
			return e.Kind == Started && e.Step == d.task.Steps[i].Name && !e.Undo
		})
	})
}

// operate does what an operator may do, by chance, with all that follows from
// it, and says whether anything could be done.
func (d *driver) operate() bool {
	now := d.task
	t, err := Fold(now.template, Log{Records: d.log})
	if err != nil {
		d.t.Fatalf("%s: the log does not fold: %v", d.where, err)
	}
	events, err := t.steered(d.now, By{Actor: "test"}, func(t *Task) (events []Event, err error) {
		if d.chance.IntN(8) == 0 && !t.undoing && !t.cancelled {
			return []Event{{Kind: Cancelled, Undo: d.chance.IntN(2) == 0}}, nil
		}
		for _, i := range d.chance.Perm(len(t.Steps)) {
			p := t.progress(i)
			if p == nil {
				continue
			}
			e := t.event([]EventKind{RetriedByHand, RetriedByHand, Answered, CompletedByHand, FailedByHand, ResolvedByHand}[d.chance.IntN(6)], i)
			e.Error = Permanent("H", "h")
			if e.Kind == Answered && p.State == StepWaiting {
				e.Wait = &Wait{Name: "question"}
			}
			if stepTable[p.State][e.Kind].legal {
				return []Event{e}, nil
			}
		}
		return nil, ErrRefused
	})
	if err != nil {
		return false
	}
	d.store(events...)
	return true
}

// store folds a record and holds what follows to the promises.
func (d *driver) store(events ...Event) {
	before := d.task.State
	r := Record{Seq: d.task.seq + 1, At: d.now, Events: events}
	if err := d.task.apply(&r); err != nil {
		d.t.Fatalf("%s: %v", d.where, err)
	}
	d.log = append(d.log, r)
	d.now = d.now.Add(time.Millisecond)
	after := d.task.State
	legal := before == after || slices.ContainsFunc(TaskTransitions, func(x TaskTransition) bool { return x.From == before && x.To == after })
	if !legal {
		d.t.Errorf("%s: %v takes the task from %s to %s, which the table does not have", d.where, events[0].Kind, before, after)
	}
	for i := range d.task.Steps {
		if s := &d.task.Steps[i]; s.Attempts > s.MaxAttempts || s.LostAttempts > MaxLostAttempts {
			d.t.Errorf("%s: %s has %d attempts of %d and %d lost ones", d.where, s.Name, s.Attempts, s.MaxAttempts, s.LostAttempts)
		}
		if after.Final() && d.task.Steps[i].State.open() {
			d.t.Errorf("%s: the task is %s and its step %s is %s", d.where, after, d.task.Steps[i].Name, d.task.Steps[i].State)
		}
	}
}

func states(t *Task) (all []string) {
	for i := range t.Steps {
		s := &t.Steps[i]
		all = append(all, fmt.Sprint(s.State, s.Attempts, s.LostAttempts))
		if undo := s.Compensation; undo != nil {
			all = append(all, fmt.Sprint("undo ", undo.State, undo.Attempts, undo.LostAttempts))
		}
	}
	return all
}

func randomTemplate(t *testing.T, chance *rand.Rand) *template.Template {
	var b strings.Builder
	fmt.Fprintf(&b, "name: random\nnamespace_name: test\nversion: 1.0.0\non_failure: %s\n", []template.OnFailure{template.Block, template.Fail, template.Compensate}[chance.IntN(3)])
	if chance.IntN(3) == 0 {
		b.WriteString("lifecycle: {max_duration_minutes: 300}\n")
	}
	b.WriteString("steps:\n")
	for i := range 1 + chance.IntN(8) {
		var parents []string
		for p := range i {
			if chance.IntN(3) == 0 {
				parents = append(parents, fmt.Sprintf("s%d", p))
			}
		}
		fmt.Fprintf(&b, "  - {name: s%d, handler: {callable: x}, dependencies: [%s], optional: %t, retry: {limit: %d, retryable: %t}%s}\n",
			i, strings.Join(parents, ", "), chance.IntN(5) == 0, 1+chance.IntN(4), chance.IntN(6) > 0, []string{"", ", compensate: {callable: y, retry: {limit: 2}}"}[chance.IntN(2)])
	}
	return mustParse(t, b.String())
}
