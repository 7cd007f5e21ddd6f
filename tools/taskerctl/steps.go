package main

import (
	"context"
	"encoding/json"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker"
)

func stepCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "retry", Usage: "give a step another chance, or its next attempt now", ArgsUsage: "ID STEP", Flags: byHand(),
			Action: atStep(func(ctx context.Context, d *desk, id tasker.ID, step string) (*tasker.Task, error) {
				return d.RetryStep(ctx, id, step, d.by())
			})},
		{Name: "complete", Usage: "give a step its result", ArgsUsage: "ID STEP", Flags: byHand(
			&cli.StringFlag{Name: "result", Value: "null", Usage: "the result as `JSON`"}),
			Action: atStep(func(ctx context.Context, d *desk, id tasker.ID, step string) (*tasker.Task, error) {
				result, err := d.parsed("result")
				if err != nil {
					return nil, err
				}
				return d.CompleteStep(ctx, id, step, result, d.by())
			})},
		{Name: "fail", Usage: "fail a step for good", ArgsUsage: "ID STEP", Flags: byHand(
			&cli.StringFlag{Name: "code", Value: tasker.CodeByHand, Usage: "the error's `CODE`"}),
			Action: atStep(func(ctx context.Context, d *desk, id tasker.ID, step string) (*tasker.Task, error) {
				return d.FailStep(ctx, id, step, tasker.Permanent(d.c.String("code"), "%s", d.c.String("reason")), d.by())
			})},
		{Name: "resolve", Usage: "take a step on yourself: it counts as done, without a result", ArgsUsage: "ID STEP", Flags: byHand(),
			Action: atStep(func(ctx context.Context, d *desk, id tasker.ID, step string) (*tasker.Task, error) {
				return d.ResolveStep(ctx, id, step, d.by())
			})},
	}
}

// atStep is a command about one step of a task.
func atStep(work func(ctx context.Context, d *desk, id tasker.ID, step string) (*tasker.Task, error)) cli.ActionFunc {
	return at(func(ctx context.Context, d *desk) error {
		args, err := d.args("ID", "STEP")
		if err != nil {
			return err
		}
		id, err := idOf(args[0])
		if err != nil {
			return err
		}
		t, err := work(ctx, d, id, args[1])
		return d.after(t, err)
	})
}

// parsed gives the JSON of a flag.
func (d *desk) parsed(flag string) (json.RawMessage, error) {
	raw := json.RawMessage(d.c.String(flag))
	if !json.Valid(raw) {
		return nil, usagef("-%s %s: that is not JSON", flag, raw)
	}
	return raw, nil
}
