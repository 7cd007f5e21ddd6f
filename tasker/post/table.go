package post

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// table is the live timeline: a line a step, with a bar in which work is
// full and waiting is light, drawn again over itself.
type table struct {
	parts []*tablePart // the task, then its sub-tasks
	said  []string     // by the post
	known []*template.Template
	width int
	paint paint
	began time.Time
	lines int // drawn so far
}

// tablePart is one task of the table.
type tablePart struct {
	task  tasker.ID // zero before its first record
	title string
	steps []*tableRow
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

func newTable(t *template.Template, known []*template.Template, width int, p paint, began time.Time) *table {
	return &table{parts: []*tablePart{newPart(t)}, known: known, width: width, paint: p, began: began}
}

func newPart(t *template.Template) *tablePart {
	part := &tablePart{title: t.String()}
	for i := range t.Steps {
		part.steps = append(part.steps, &tableRow{name: t.Steps[i].Name, state: "pending"})
	}
	return part
}

// row finds the line of a task's step, or makes the lines of a sub-task; nil
// for what is about the task itself.
func (b *table) row(of *tasker.Row, step string) *tableRow {
	i := slices.IndexFunc(b.parts, func(p *tablePart) bool { return p.task == of.ID })
	if i < 0 && of.Parent.IsZero() {
		i = 0
		b.parts[0].task = of.ID
	}
	if i < 0 {
		t := slices.IndexFunc(b.known, func(t *template.Template) bool {
			return t.Namespace == of.Namespace && t.Name == of.Name && t.Version == of.Version
		})
		if t < 0 {
			return nil
		}
		i = len(b.parts)
		b.parts = append(b.parts, newPart(b.known[t]))
		b.parts[i].task = of.ID
	}
	steps := b.parts[i].steps
	if at := slices.IndexFunc(steps, func(r *tableRow) bool { return r.name == step }); at >= 0 {
		return steps[at]
	}
	return nil
}

// lookBack puts the rows on what another process has done: what is not told
// by an event of this one.
func (b *table) lookBack(task *tasker.Task) {
	for i := range task.Steps {
		s := &task.Steps[i]
		row := b.parts[0].steps[i]
		row.state = s.State.String()
		if s.State == tasker.StepComplete || s.State == tasker.StepError {
			row.note = "before"
		}
	}
}

func (b *table) take(e *entry) {
	if e.text != "" {
		b.said = append(b.said, cut(e.subject+"  "+e.text, b.width))
	}
	for i := range e.record.Events {
		event := &e.record.Events[i]
		row := b.row(&e.row, event.Step)
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
	bar := max(10, min(40, b.width-b.longest()-30))
	var lines []string
	for i, part := range b.parts {
		title := part.title
		if i == 0 {
			title += "  " + roughly(total)
		}
		lines = append(lines, cut(title, b.width))
		for _, row := range part.steps {
			line := fmt.Sprintf(" %-*s %s %9s", b.longest(), row.name, row.bar(b.began, end, total, bar), row.worked(end))
			if row.attempts > 1 {
				line += fmt.Sprintf("  attempt %d", row.attempts)
			}
			if row.note != "" {
				line += "  " + row.note
			}
			lines = append(lines, b.paint.mark(row.state)+cut(line, b.width-1))
		}
	}
	lines = append(lines, b.said...)
	for _, line := range lines {
		out.WriteString("\x1b[2K" + line + "\n")
	}
	b.lines = len(lines)
	return out.String()
}

// cut keeps a line within the terminal: one that wraps would count as two when
// the table is drawn over.
func cut(line string, width int) string {
	signs := []rune(line)
	return string(signs[:min(len(signs), max(0, width))])
}

func (b *table) lastEvent(now time.Time) time.Time {
	var end time.Time
	for _, part := range b.parts {
		for _, row := range part.steps {
			for _, s := range row.spans {
				if s.to.IsZero() {
					return now
				}
				if s.to.After(end) {
					end = s.to
				}
			}
		}
	}
	return end
}

// longest is how wide the names of steps are.
func (b *table) longest() int {
	wide := 20
	for _, part := range b.parts {
		for _, row := range part.steps {
			wide = max(wide, len(row.name))
		}
	}
	return wide
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
