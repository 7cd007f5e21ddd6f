// Package history puts what happened to a task into words.
package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Text is a task's log as a table: a line for each event, with the time
// since the task was submitted. Events of one record, which were stored
// together, share its number.
func Text(records []tasker.Record) string {
	width := 0
	for _, r := range records {
		for i := range r.Events {
			width = max(width, len(subject(&r.Events[i])))
		}
	}
	var b strings.Builder
	for _, r := range records {
		number, at := fmt.Sprintf("#%d", r.Seq), r.At.Sub(records[0].At).Round(100*time.Microsecond).String()
		for i := range r.Events {
			line := fmt.Sprintf("%5s %9s  %-*s  %s", number, at, width, subject(&r.Events[i]), tell(&r.Events[i]))
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			number, at = "", ""
		}
	}
	return b.String()
}

// tell puts an event into words.
func tell(e *tasker.Event) string {
	switch e.Kind {
	case tasker.Submitted:
		return "submitted with " + short(string(e.Context))
	case tasker.Claimed:
		return "claimed by worker " + e.Worker.String()
	case tasker.Expired:
		return "is past its time"
	case tasker.Cancelled:
		how := ""
		if e.Undo {
			how = ", to be undone"
		}
		return "cancelled" + how + byHand(e)
	case tasker.Undoing:
		return "cannot complete: what was done is undone"
	case tasker.Finished:
		return "ends: " + e.TaskState.String()
	case tasker.Parked:
		return fmt.Sprintf("attempt %d waits for %s", e.Attempt, e.Wait)
	case tasker.Answered:
		if !e.Wait.Task.IsZero() {
			return fmt.Sprintf("attempt %d: task %s has ended", e.Attempt, e.Wait.Task)
		}
		return fmt.Sprintf("attempt %d is answered %s", e.Attempt, short(string(e.Result))) + byHand(e)
	case tasker.RetriedByHand:
		return "is given another chance" + byHand(e)
	case tasker.CompletedByHand:
		return "is completed with " + short(string(e.Result)) + byHand(e)
	case tasker.FailedByHand:
		return "is failed by " + short(e.Error.Error()) + byHand(e)
	case tasker.ResolvedByHand:
		return "is resolved" + byHand(e)
	case tasker.Started:
		return fmt.Sprintf("attempt %d", e.Attempt)
	case tasker.Completed:
		return fmt.Sprintf("attempt %d succeeds with %s", e.Attempt, short(string(e.Result)))
	case tasker.Retrying:
		return fmt.Sprintf("attempt %d fails, the next in %v: %s", e.Attempt, e.Delay.Round(time.Millisecond), short(e.Error.Error()))
	case tasker.Failed:
		return fmt.Sprintf("attempt %d fails for good: %s", e.Attempt, short(e.Error.Error()))
	case tasker.Lost:
		return fmt.Sprintf("attempt %d is lost with its worker", e.Attempt)
	default:
		return fmt.Sprintf("attempt %d: %s", e.Attempt, e.Kind)
	}
}

// byHand says who did something, and why.
func byHand(e *tasker.Event) string {
	by := " by hand"
	if e.Actor != "" {
		by = " by " + Line(e.Actor)
	}
	if e.Reason == "" {
		return by
	}
	return by + ": " + Line(e.Reason)
}

// subject is what an event is about.
func subject(e *tasker.Event) string {
	if e.Undo && e.Step != "" {
		return "undo " + e.Step
	}
	return e.Step
}

// Line is a text on one line of a terminal: blanks of any kind are one blank,
// and what would steer the terminal is spelled out, such as \x1b.
func Line(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// short is a line that is not too long.
func short(s string) string {
	const limit = 100
	r := []rune(Line(s))
	if len(r) > limit {
		return string(r[:limit]) + " …"
	}
	return string(r)
}
