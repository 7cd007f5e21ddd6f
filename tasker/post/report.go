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
	next := r.next()
	if r.goesOn(report) {
		next = strings.Join(r.options.args, " ")
	}
	fmt.Fprintf(r.stdout, "\nNext: go run ./posts/%s %s\n", r.post.Name, next)
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
		if s := &t.Steps[i]; s.State == tasker.StepError {
			fmt.Fprintf(r.stdout, "  %s: %s\n", s.Name, s.Error)
		}
		if undo := t.Steps[i].Compensation; undo != nil && undo.State == tasker.StepError {
			fmt.Fprintf(r.stdout, "  %s could not be undone: %s\n", t.Steps[i].Name, undo.Error)
		}
	}
	if len(undone) > 0 {
		fmt.Fprintf(r.stdout, "  undone: %s\n", strings.Join(undone, ", "))
	}
	if r.post.Tell != nil {
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
	case d < time.Millisecond:
		return "under 1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}
