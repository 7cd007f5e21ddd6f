package post

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/tasker-systems/tasker-go/tasker"
)

// timeline shows a run while it goes on: one line an event, or, on a
// terminal and for one task, a table that is drawn anew.
type timeline struct {
	out    *output
	paint  paint
	began  time.Time     // by the store's clock, as all times of records; set by the first record of a new run
	fresh  bool          // nothing was recorded before this process
	skew   time.Duration // the store's clock less ours
	silent bool
	many   bool
	wide   int // the column of names
	order  map[tasker.ID]int

	mu     sync.Mutex
	events []entry // not yet shown
	over   bool
	signal chan struct{}
	closed chan struct{}
	once   sync.Once
	table  *table // nil for lines
}

// entry is a record that was stored, or something that the post says.
type entry struct {
	row           tasker.Row
	record        tasker.Record
	subject, text string
}

func newTimeline(out *output, o *options, began time.Time) *timeline {
	t := &timeline{
		out: out, began: began, fresh: true, skew: time.Until(began), silent: o.json, many: !o.oneTask(), wide: wideEnough(o), order: map[tasker.ID]int{},
		signal: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	file, ok := out.to.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
	t.paint = paint(terminal && os.Getenv("NO_COLOR") == "")
	if terminal && o.oneTask() {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			width = 80
		}
		t.table = newTable(o.task, o.templates, width, t.paint, began)
	}
	return t
}

// wideEnough is how wide the column of names must be for every step of the
// post, those of sub-tasks set in.
func wideEnough(o *options) int {
	wide := 22
	for _, t := range o.templates {
		for i := range t.Steps {
			name := len(t.Steps[i].Name)
			if t != o.task {
				name += len("  ")
			}
			wide = max(wide, name)
		}
	}
	return wide
}

// start begins to show what observe has taken.
func (t *timeline) start() { go t.show() }

// observe takes a record without delay: it is called on the engine's loop.
func (t *timeline) observe(row tasker.Row, record tasker.Record) {
	t.add(entry{row: row, record: record})
}

// tell takes what the post says. What comes after the end is not shown.
func (t *timeline) tell(subject, text string) {
	t.add(entry{record: tasker.Record{At: time.Now().Add(t.skew)}, subject: subject, text: text})
}

func (t *timeline) add(e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.silent || t.over {
		return
	}
	t.events = append(t.events, e)
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

// close shows the rest.
func (t *timeline) close() {
	t.once.Do(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.over = true
		close(t.signal)
	})
	<-t.closed
}

// lookBack begins the timeline of a run that another process has begun: what
// that process did is not told line by line. task is nil when there are many.
// It comes before start.
func (t *timeline) lookBack(l *life, task *tasker.Task, done, of int) {
	if of > 0 {
		t.fresh = false
	}
	if t.silent || of == 0 {
		return
	}
	end := "a process that died"
	if l.gaveUp {
		end = "a process that left it unfinished"
	}
	began := fmt.Sprintf("begun %s ago by %s; this one goes on", roughly(l.ago), end)
	if task == nil {
		fmt.Fprintf(t.out, "%s\n%d of %s are done already\n", began, done, Count(of, "task"))
		return
	}
	before := "nothing"
	if steps := doneSteps(task); len(steps) > 0 {
		before = strings.Join(steps, ", ")
	}
	for _, text := range []string{began, "done already: " + before} {
		fmt.Fprintf(t.out, "%9s  %-*s %s\n", "", t.wide, task.Name, t.paint.color(dim, text))
	}
	if t.table != nil {
		t.table.lookBack(task)
	}
}

// doneSteps names the steps that will not run again, with what became of
// those that are not complete.
func doneSteps(task *tasker.Task) (names []string) {
	for i := range task.Steps {
		switch s := &task.Steps[i]; s.State {
		case tasker.StepComplete:
			names = append(names, s.Name)
		case tasker.StepError:
			names = append(names, s.Name+" (failed)")
		}
	}
	return names
}

// show is the goroutine that writes.
func (t *timeline) show() {
	defer close(t.closed)
	ticks := make(<-chan time.Time)
	if t.table != nil && !t.silent {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for more := true; more; {
		select {
		case _, more = <-t.signal:
		case <-ticks:
		}
		t.mu.Lock()
		events := t.events
		t.events = nil
		t.mu.Unlock()
		for i := range events {
			t.take(&events[i])
		}
		if t.table != nil && !t.silent {
			fmt.Fprint(t.out, t.table.draw(time.Now().Add(t.skew), !more))
		}
	}
}

func (t *timeline) take(e *entry) {
	if t.fresh && len(e.record.Events) > 0 {
		t.fresh, t.began = false, e.record.At
	}
	if t.table != nil {
		t.table.began = t.began
		t.table.take(e)
		return
	}
	if e.text != "" {
		t.line(&e.row, e.record.At, e.subject, e.text, warn)
	}
	for i := range e.record.Events {
		if subject, text, tone := describe(&e.row, &e.record.Events[i]); text != "" {
			t.line(&e.row, e.record.At, subject, text, tone)
		}
	}
}

// line writes one thing that happened. Those of a sub-task are set in.
func (t *timeline) line(row *tasker.Row, at time.Time, subject, text string, tone tone) {
	prefix := ""
	if t.many {
		prefix = strings.Repeat(" ", len("#1   "))
		if !row.ID.IsZero() {
			if _, known := t.order[row.ID]; !known {
				t.order[row.ID] = len(t.order) + 1
			}
			prefix = fmt.Sprintf("#%-4d", t.order[row.ID])
		}
	}
	if !row.Parent.IsZero() {
		subject = "  " + subject
	}
	fmt.Fprintf(t.out, "%s%9s  %-*s %s\n", prefix, fmt.Sprintf("%.1fms", float64(at.Sub(t.began).Microseconds())/1000), t.wide, subject, t.paint.color(tone, text))
}

// describe puts an event into words: what it is about, what happened, and how
// good that is.
func describe(row *tasker.Row, e *tasker.Event) (subject, text string, tone tone) {
	subject = faultName(e.Step, e.Undo)
	switch {
	case e.Step == "" && row.Parent.IsZero():
		subject = row.Name
	case e.Step == "":
		subject = row.Namespace + "/" + row.Name
	}
	switch e.Kind {
	case tasker.Submitted:
		return subject, "submitted", dim
	case tasker.Started:
		return subject, fmt.Sprintf("attempt %d", e.Attempt), dim
	case tasker.Completed:
		return subject, "complete", good
	case tasker.Retrying:
		return subject, fmt.Sprintf("attempt %d failed, the next in %s: %s", e.Attempt, roughly(e.Delay), firstLine(e.Error)), warn
	case tasker.Failed:
		return subject, "failed for good: " + firstLine(e.Error), bad
	case tasker.Lost:
		return subject, fmt.Sprintf("attempt %d was lost with its worker", e.Attempt), warn
	case tasker.Withdrawn:
		return subject, fmt.Sprintf("attempt %d was taken back", e.Attempt), dim
	case tasker.Parked:
		return subject, fmt.Sprintf("attempt %d waits for %s", e.Attempt, e.Wait), dim
	case tasker.Answered:
		return subject, "may go on", dim
	case tasker.RetriedByHand, tasker.CompletedByHand, tasker.FailedByHand, tasker.ResolvedByHand:
		return subject, fmt.Sprintf("%s: %s, %s", strings.ReplaceAll(e.Kind.String(), "_", " "), e.Actor, e.Reason), warn
	case tasker.Undoing:
		return subject, "cannot complete: what was done is undone", bad
	case tasker.Expired:
		return subject, "past its time", bad
	case tasker.Cancelled:
		return subject, "cancelled by " + e.Actor + ": " + e.Reason, bad
	case tasker.Finished:
		if e.TaskState == tasker.TaskComplete {
			return subject, "complete", good
		}
		return subject, "ended in " + e.TaskState.String(), bad
	default:
		return subject, "", dim
	}
}

func firstLine(err *tasker.Error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// tone is how good a piece of news is.
type tone int

const (
	dim tone = iota
	good
	warn
	bad
)

// paint colors text, or leaves it where colors are not wanted.
type paint bool

func (p paint) color(t tone, text string) string {
	if !p {
		return text
	}
	return [...]string{"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"}[t] + text + "\x1b[0m"
}

// mark is a sign for a state; the word beside it says the same.
func (p paint) mark(state string) string {
	switch state {
	case "complete":
		return p.color(good, "✓")
	case "in_progress", "waiting_for_retry":
		return p.color(warn, "▸")
	case "pending", "waiting":
		return p.color(dim, "·")
	default:
		return p.color(bad, "✗")
	}
}
