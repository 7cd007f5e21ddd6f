package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/history"
)

// printer writes what a command has found, for people or as JSON.
type printer struct {
	out  io.Writer
	json bool
}

func (p *printer) document(v any) error {
	e := json.NewEncoder(p.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes lines of columns.
func (p *printer) table(lines [][]string) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}

// listed is a task in a list.
type listed struct {
	ID            tasker.ID        `json:"id"`
	Namespace     string           `json:"namespace"`
	Name          string           `json:"name"`
	Version       string           `json:"version"`
	State         tasker.TaskState `json:"state"`
	ParentID      tasker.ID        `json:"parent_id,omitzero"`
	CorrelationID string           `json:"correlation_id"`
	Tag           string           `json:"tag,omitempty"`
	CreatedAt     time.Time        `json:"created_at"`
	FinishedAt    time.Time        `json:"finished_at,omitzero"`
	WakesAt       time.Time        `json:"wakes_at,omitzero"`
}

func (p *printer) rows(rows []tasker.Row, limit int) error {
	all := make([]listed, len(rows))
	lines := [][]string{{"ID", "TASK", "STATE", "CREATED"}}
	for i := range rows {
		r := &rows[i]
		all[i] = listed{r.ID, r.Namespace, r.Name, r.Version, r.State, r.Parent, r.CorrelationID, r.Tag, r.CreatedAt, r.FinishedAt, r.WakeAt}
		lines = append(lines, []string{r.ID.String(), fmt.Sprintf("%s/%s@%s", r.Namespace, r.Name, r.Version), r.State.String(), r.CreatedAt.Local().Format(time.DateTime)})
	}
	if p.json {
		return p.document(map[string]any{"tasks": all})
	}
	if len(rows) == 0 {
		fmt.Fprintln(p.out, "no such tasks")
		return nil
	}
	if len(rows) == limit {
		return p.page(lines, rows[limit-1].ID)
	}
	return p.table(lines)
}

// page writes lines that may go on with what is older than a task.
func (p *printer) page(lines [][]string, last tasker.ID) error {
	if err := p.table(lines); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "older ones, if there are any: the same command with -before %s\n", last)
	return err
}

// show writes a task with its steps.
func (p *printer) show(t *tasker.Task, status tasker.Status, noWorker bool) error {
	if p.json {
		return p.document(map[string]any{"task": t, "status": status, "no_worker": noWorker})
	}
	fmt.Fprintf(p.out, "%s/%s@%s %s\n%s", t.Namespace, t.Name, t.Version, t.ID, t.State)
	if !t.State.Final() { // else there is nothing to do about it
		fmt.Fprintf(p.out, ": %s, %s, %s", status.ExecutionStatus, status.RecommendedAction, status.Health)
	}
	fmt.Fprintln(p.out)
	if noWorker {
		fmt.Fprintln(p.out, "no living worker has the handlers of this task")
	}
	if t.Error != nil {
		fmt.Fprintln(p.out, history.Line(t.Error.Error()))
	}
	for _, warning := range t.Warnings {
		fmt.Fprintf(p.out, "warning: %s\n", history.Line(warning))
	}
	fmt.Fprintln(p.out)
	lines := [][]string{{"STEP", "STATE", "ATTEMPTS", ""}}
	for i := range t.Steps {
		s := &t.Steps[i]
		lines = append(lines, progressLine(s.Name, &s.Progress))
		if s.Compensation != nil {
			lines = append(lines, progressLine("undo "+s.Name, s.Compensation))
		}
	}
	return p.table(lines)
}

func progressLine(name string, s *tasker.Progress) []string {
	note := ""
	switch {
	case s.Wait != nil:
		note = "waits for " + s.Wait.String()
		if !s.ExpiresAt.IsZero() {
			note += " until " + s.ExpiresAt.Local().Format(time.DateTime)
		}
	case s.Error != nil:
		note, _, _ = strings.Cut(s.Error.Error(), "\n")
	}
	note = history.Line(note)
	attempts := fmt.Sprintf("%d of %d", s.Attempts, s.MaxAttempts)
	if s.LostAttempts > 0 {
		attempts += fmt.Sprintf(", %d lost", s.LostAttempts)
	}
	return []string{name, s.State.String(), attempts, note}
}

// after tells how a task stands after it was given a hand.
func (p *printer) after(t *tasker.Task, err error) error {
	if err != nil {
		return err
	}
	if p.json {
		return p.document(map[string]any{"task": t})
	}
	fmt.Fprintf(p.out, "task %s is %s\n", t.ID, t.State)
	if !t.State.Final() {
		fmt.Fprintln(p.out, "what is left for handlers is done as soon as a worker is there")
	}
	if names := kept(t); len(names) > 0 {
		fmt.Fprintf(p.out, "what these steps did stays, and cannot be undone by this task any more: %s\n", strings.Join(names, ", "))
	}
	return nil
}

// kept names the steps of a task that an operator ended which had begun and
// were not undone.
func kept(t *tasker.Task) (names []string) {
	if t.State != tasker.TaskCancelled && t.State != tasker.TaskResolved {
		return nil
	}
	for i := range t.Steps {
		if s := &t.Steps[i]; s.Attempts+s.LostAttempts > 0 && s.Compensation == nil {
			names = append(names, s.Name)
		}
	}
	return names
}

// questions writes a page of questions; last is zero where it is the last page.
func (p *printer) questions(all []question, last tasker.ID) error {
	if p.json {
		return p.document(map[string]any{"approvals": all})
	}
	if len(all) == 0 {
		fmt.Fprintln(p.out, "nobody waits for an answer")
		return nil
	}
	lines := [][]string{{"TASK", "", "STEP", "EXPIRES", "QUESTION"}}
	for _, q := range all {
		expires := "never"
		if !q.ExpiresAt.IsZero() {
			expires = q.ExpiresAt.Local().Format(time.DateTime)
		}
		lines = append(lines, []string{q.Task.String(), q.Namespace + "/" + q.Name, q.Step, expires, history.Line(q.Question + " " + string(q.Prompt))})
	}
	if !last.IsZero() {
		return p.page(lines, last)
	}
	return p.table(lines)
}

// recorded is a record of a task's history as JSON.
type recorded struct {
	Seq    int64          `json:"seq"`
	At     time.Time      `json:"at"`
	Writer tasker.ID      `json:"writer,omitzero"`
	Events []tasker.Event `json:"events"`
}

func historyOf(records []tasker.Record) map[string]any {
	all := make([]recorded, len(records))
	for i, r := range records {
		all[i] = recorded{r.Seq, r.At, r.Writer, r.Events}
	}
	return map[string]any{"history": all}
}
