package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker"
)

func approvalCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "list", Usage: "list the questions that tasks wait with", Action: at(questions), Flags: onDatabase(
			&cli.StringFlag{Name: "namespace"}, &cli.StringFlag{Name: "name"},
			&cli.StringFlag{Name: "before", Usage: "the last `ID` of the page before"},
			&cli.IntFlag{Name: "limit", Value: 100, Usage: "stop after so many questions"},
		)},
		{Name: "approve", Usage: "say yes", ArgsUsage: "ID [STEP]", Flags: byHand(), Action: at(func(ctx context.Context, d *desk) error {
			return d.answer(ctx, d.approval(true))
		})},
		{Name: "deny", Usage: "say no", ArgsUsage: "ID [STEP]", Flags: byHand(), Action: at(func(ctx context.Context, d *desk) error {
			return d.answer(ctx, d.approval(false))
		})},
		{Name: "answer", Usage: "answer what is not a question of yes or no", ArgsUsage: "ID [STEP]", Flags: byHand(
			&cli.StringFlag{Name: "answer", Required: true, Usage: "the answer as `JSON`"}),
			Action: at(func(ctx context.Context, d *desk) error {
				answer, err := d.parsed("answer")
				if err != nil {
					return err
				}
				return d.answer(ctx, answer)
			})},
	}
}

func (d *desk) approval(yes bool) tasker.Approval {
	return tasker.Approval{Approved: yes, By: d.c.String("actor"), Reason: d.c.String("reason")}
}

// answer answers the one question that a task waits with, or that of a step.
func (d *desk) answer(ctx context.Context, answer any) error {
	names := []string{"ID", "STEP"}[:min(max(1, d.c.NArg()), 2)]
	args, err := d.args(names...)
	if err != nil {
		return err
	}
	id, err := idOf(args[0])
	if err != nil {
		return err
	}
	step := strings.Join(args[1:], "")
	if step == "" {
		t, err := d.Task(ctx, id)
		if err != nil {
			return err
		}
		if step, err = onlyQuestion(t); err != nil {
			return err
		}
	}
	t, err := d.Answer(ctx, id, step, answer, d.by())
	return d.after(t, err)
}

func onlyQuestion(t *tasker.Task) (step string, err error) {
	var asking []string
	for _, q := range questionsOf(t) {
		asking = append(asking, q.Step)
	}
	switch len(asking) {
	case 0:
		return "", fmt.Errorf("task %s waits with no question; it is %s", t.ID, t.State)
	case 1:
		return asking[0], nil
	default:
		return "", usagef("task %s waits with more than one question; name the step: %s", t.ID, strings.Join(asking, ", "))
	}
}

// question is a step that waits for an answer.
type question struct {
	Task      tasker.ID       `json:"task"`
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	Step      string          `json:"step"`
	Question  string          `json:"question,omitempty"`
	Prompt    json.RawMessage `json:"prompt,omitempty"`
	ExpiresAt time.Time       `json:"expires_at,omitzero"`
}

func questionsOf(t *tasker.Task) (all []question) {
	for i := range t.Steps {
		if s := &t.Steps[i]; s.Wait != nil && s.Wait.Task.IsZero() {
			all = append(all, question{t.ID, t.Namespace, t.Name, s.Name, s.Wait.Name, s.Wait.Prompt, s.ExpiresAt})
		}
	}
	return all
}

// questions lists what tasks wait with, those of the newest first. A task may do
// so while another of its steps runs, waits for a retry or has failed.
func questions(ctx context.Context, d *desk) error {
	if _, err := d.args(); err != nil {
		return err
	}
	limit := d.c.Int("limit")
	if limit < 1 {
		return usagef("-limit %d: it must be at least 1", limit)
	}
	f := tasker.Filter{
		Namespace: d.c.String("namespace"), Name: d.c.String("name"), Limit: tasker.MaxRows,
		States: []tasker.TaskState{tasker.TaskWaiting, tasker.TaskInProgress, tasker.TaskWaitingForRetry, tasker.TaskBlocked},
	}
	if text := d.c.String("before"); text != "" {
		var err error
		if f.Before, err = idOf(text); err != nil {
			return err
		}
	}
	all := []question{}
	for {
		rows, err := d.Rows(ctx, f)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return d.questions(all, tasker.ID{})
		}
		for i := range rows {
			f.Before = rows[i].ID
			t, err := d.Task(ctx, rows[i].ID)
			if err != nil {
				return err
			}
			if all = append(all, questionsOf(t)...); len(all) >= limit {
				return d.questions(all, f.Before)
			}
		}
	}
}
