package post

import (
	"fmt"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// table is the live timeline: a line a step, with a bar in which work is
// full and waiting is light, drawn again over itself.
type table struct {
	steps []*tableRow
	by    map[string]*tableRow
	width int
	paint paint
	began time.Time
	title string
	lines int // drawn so far
}

type tableRow struct {
	name, state, note string
	spans             []span
	attempts          int
}

// span is a stretch of work or of waiting; to is zero while it lasts.
type span struct {
	from, to time.Time
	work     bool
}

func newTable(t *template.Template, width int, p paint, began time.Time) *table {
	b := &table{by: map[string]*tableRow{}, width: width, paint: p, began: began, title: t.String()}
	for i := range t.Steps {
		row := &tableRow{name: t.Steps[i].Name, state: "pending"}
		b.steps = append(b.steps, row)
		b.by[row.name] = row
	}
	return b
}

// lookBack puts the rows on what another process has done: what is not told
// by an event of this one.
func (b *table) lookBack(task *tasker.Task) {
	for i := range task.Steps {
		s := &task.Steps[i]
		b.steps[i].state = s.State.String()
		if s.State == tasker.StepComplete || s.State == tasker.StepError {
			b.steps[i].note = "before"
		}
	}
}

func (b *table) take(e *entry) {
	for i := range e.record.Events {
		event := &e.record.Events[i]
		row := b.by[event.Step]
		if row == nil {
			continue
		}
		at := e.record.At
		if event.Undo {
			row.note = undoNotes[event.Kind]
			continue
		}
		if n := len(row.spans); n > 0 && row.spans[n-1].to.IsZero() {
			row.spans[n-1].to = at
		}
		switch event.Kind {
		case tasker.Started:
			row.state, row.note = "in_progress", ""
			row.attempts = event.Attempt
			row.spans = append(row.spans, span{from: at, work: true})
		case tasker.Completed:
			row.state, row.note = "complete", ""
		case tasker.Retrying:
			row.state, row.note = "waiting_for_retry", event.Error.Code
			row.spans = append(row.spans, span{from: at})
		case tasker.Failed:
			row.state, row.note = "error", event.Error.Code
		case tasker.Parked:
			row.state, row.note = "waiting", event.Wait.String()
		default:
			row.state = "pending"
		}
	}
}

// draw gives the table as it stands at now, with the codes that put it over
// the last one.
func (b *table) draw(now time.Time, last bool) string {
	var out strings.Builder
	if b.lines > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", b.lines)
	}
	end := now
	if last {
		end = b.lastEvent(now)
	}
	total := max(end.Sub(b.began), time.Millisecond)
	bar := max(10, min(40, b.width-50))
	lines := []string{fmt.Sprintf("%s  %s", b.title, roughly(total))}
	for _, row := range b.steps {
		line := fmt.Sprintf("%s %-20s %s %9s", b.paint.mark(row.state), row.name, row.bar(b.began, end, total, bar), row.worked(end))
		if row.attempts > 1 {
			line += fmt.Sprintf("  attempt %d", row.attempts)
		}
		if row.note != "" {
			line += "  " + row.note
		}
		lines = append(lines, line)
	}
	for _, line := range lines {
		out.WriteString("\x1b[2K" + line + "\n")
	}
	b.lines = len(lines)
	return out.String()
}

func (b *table) lastEvent(now time.Time) time.Time {
	var end time.Time
	for _, row := range b.steps {
		for _, s := range row.spans {
			if s.to.IsZero() {
				return now
			}
			if s.to.After(end) {
				end = s.to
			}
		}
	}
	return end
}

// bar draws a row's spans to scale. A span without an end goes on to now.
func (r *tableRow) bar(began, now time.Time, total time.Duration, width int) string {
	cells := []rune(strings.Repeat(" ", width))
	for _, s := range r.spans {
		to := s.to
		if to.IsZero() {
			to = now
		}
		from := int(int64(width-1) * int64(s.from.Sub(began)) / int64(total))
		until := int(int64(width-1) * int64(to.Sub(began)) / int64(total))
		sign := '░'
		if s.work {
			sign = '▇'
		}
		for i := max(0, from); i <= min(until, width-1); i++ {
			if sign == '▇' || cells[i] == ' ' {
				cells[i] = sign
			}
		}
	}
	return string(cells)
}

func (r *tableRow) worked(now time.Time) string {
	if len(r.spans) == 0 {
		return ""
	}
	to := r.spans[len(r.spans)-1].to
	if to.IsZero() {
		to = now
	}
	return roughly(to.Sub(r.spans[0].from))
}

// undoNotes say beside a step how far its undoing is.
var undoNotes = map[tasker.EventKind]string{
	tasker.Started: "being undone", tasker.Retrying: "undoing waits for its next attempt",
	tasker.Failed: "could not be undone", tasker.Completed: "undone", tasker.Lost: "being undone", tasker.Withdrawn: "being undone",
}
