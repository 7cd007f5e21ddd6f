package post

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Report is what a run has come to, as -json prints it.
type Report struct {
	Tasks    []*tasker.Task `json:"tasks"` // the submitted ones first, then their sub-tasks
	Rejected *Rejection     `json:"rejected,omitempty"`
	Services []Service      `json:"services,omitempty"`
	Notes    map[string]any `json:"notes,omitempty"` // figures of the post
}

// Rejection says why the input became no task.
type Rejection struct {
	Code   string               `json:"code"`
	Errors []template.Violation `json:"errors"`
}

// Service tells what a run asked of a service.
type Service struct {
	Name     string `json:"name"`
	Breaker  string `json:"breaker"`
	Calls    int    `json:"calls"`
	Failures int    `json:"failures"`
	Spared   int    `json:"spared"` // calls that the breaker did not let through
}

// String is the service in a line.
func (s Service) String() string {
	text := fmt.Sprintf("%s: %s", s.Name, Count(s.Calls, "call"))
	if s.Failures > 0 {
		text += fmt.Sprintf(", %d of them failed", s.Failures)
	}
	if s.Spared > 0 {
		text += fmt.Sprintf(", %d more were spared", s.Spared)
	}
	if s.Breaker != "" {
		text += "; its breaker is " + s.Breaker
	}
	return text
}

// state is the task's state that a service's looks like.
func (s Service) state() string {
	switch {
	case s.Breaker == "half-open":
		return "waiting"
	case s.Breaker == "open", s.Calls > 0 && s.Failures == s.Calls:
		return "error"
	default:
		return "complete"
	}
}

func rejection(r *tasker.Rejected) *Rejection {
	errors := r.Errors
	if len(errors) == 0 {
		errors = []template.Violation{{Message: r.Message}}
	}
	return &Rejection{Code: r.Code, Errors: errors}
}

// complete says that every task is.
func (r *Report) complete() bool {
	return len(r.Tasks) > 0 && !slices.ContainsFunc(r.Tasks, func(t *tasker.Task) bool { return t.State != tasker.TaskComplete })
}

// ended says that every task is complete or has failed for good.
func (r *Report) ended() bool {
	return len(r.Tasks) > 0 && !slices.ContainsFunc(r.Tasks, func(t *tasker.Task) bool { return !t.State.Final() })
}

// summarize ends the terminal's output: what became of each task, what the
// post has to say of it, and one thing to try next.
func (r *run) summarize(report *Report) {
	paint := r.timeline.paint
	fmt.Fprintln(r.stdout)
	const shown = 5
	for i, t := range report.Tasks {
		if i == shown && len(report.Tasks) > shown+1 {
			fmt.Fprintf(r.stdout, "… and %d more\n", len(report.Tasks)-shown)
			break
		}
		r.summarizeTask(paint, t)
	}
	for _, s := range report.Services {
		fmt.Fprintf(r.stdout, "%s %s\n", paint.mark(s.state()), s)
	}
	if r.post.Conclude != nil {
		for _, line := range r.post.Conclude(r.world) {
			fmt.Fprintln(r.stdout, line)
		}
	}
	fmt.Fprintf(r.stdout, "\nNext: %s\n", r.suggestion(report))
}

// suggestion is one command to type next: what brings a task on that waits
// for a person, or this run on, or what is worth seeing after it.
func (r *run) suggestion(report *Report) string {
	command := "go run ./posts/" + r.post.Name
	same := strings.TrimSpace(command + " " + strings.Join(r.options.args, " "))
	verb, what := wanted(report)
	switch {
	case r.goesOn(report):
		return same
	case verb != "" && r.where != "":
		return fmt.Sprintf("go run ./tools/taskerctl %s -db '%s' %s", verb, r.where, what)
	case verb != "" && r.options.db == onPostgres:
		return same + " -keep" // or its server is gone before a person can help
	default:
		return command + " " + r.next()
	}
}

// wanted is what taskerctl does for the first task that waits for a person:
// its command, and what that is about.
func wanted(report *Report) (verb, what string) {
	for _, t := range report.Tasks {
		if t.State == tasker.TaskBlocked {
			return "tasks retry", t.ID.String()
		}
		for i := range t.Steps {
			if s := &t.Steps[i]; s.State == tasker.StepWaiting && s.Wait != nil && s.Wait.Task.IsZero() {
				return "approvals approve", t.ID.String() + " " + s.Name
			}
		}
	}
	return "", ""
}

// goesOn says that the same command would go on with this run.
func (r *run) goesOn(report *Report) bool {
	return r.interrupted && r.world.disk != nil && !report.ended()
}

func (r *run) summarizeTask(paint paint, t *tasker.Task) {
	attempts := 0
	var undone []string
	for i := range t.Steps {
		attempts += t.Steps[i].Attempts + t.Steps[i].LostAttempts
		if undo := t.Steps[i].Compensation; undo != nil && undo.State == tasker.StepComplete {
			undone = append(undone, t.Steps[i].Name)
		}
	}
	end := t.FinishedAt
	if end.IsZero() {
		end = time.Now()
	}
	fmt.Fprintf(r.stdout, "%s %s/%s: %s in %s, %s, %s\n", paint.mark(t.State.String()), t.Namespace, t.Name, t.State,
		roughly(end.Sub(t.CreatedAt)), Count(len(t.Steps), "step"), Count(attempts, "attempt"))
	for i := range t.Steps {
		switch s := &t.Steps[i]; {
		case s.State == tasker.StepError:
			fmt.Fprintf(r.stdout, "  %s: %s\n", s.Name, s.Error)
		case s.State == tasker.StepWaiting && s.Wait != nil:
			fmt.Fprintf(r.stdout, "  %s waits for %s\n", s.Name, s.Wait)
		}
		if undo := t.Steps[i].Compensation; undo != nil && undo.State == tasker.StepError {
			fmt.Fprintf(r.stdout, "  %s could not be undone: %s\n", t.Steps[i].Name, undo.Error)
		}
	}
	if len(undone) > 0 {
		fmt.Fprintf(r.stdout, "  undone: %s\n", strings.Join(undone, ", "))
	}
	if r.post.Tell != nil && t.ParentID.IsZero() {
		for _, line := range r.post.Tell(r.world, t.ID) {
			fmt.Fprintf(r.stdout, "  %s\n", line)
		}
	}
}

// next is what comes after this run's arguments in the post's list.
func (r *run) next() string {
	if len(r.post.Next) == 0 {
		return "-h"
	}
	at := slices.Index(r.post.Next, strings.Join(r.options.args, " "))
	return r.post.Next[(at+1)%len(r.post.Next)]
}

// Count puts a number before a word: 1 step, 2 steps.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// roughly rounds a duration to what a reader cares for.
func roughly(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}
