package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/history"
)

func taskCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "list", Usage: "list tasks, newest first", Action: at(list), Flags: onDatabase(
			&cli.StringSliceFlag{Name: "state", Usage: "only tasks in this `STATE`; may repeat"},
			&cli.StringFlag{Name: "namespace"}, &cli.StringFlag{Name: "name"}, &cli.StringFlag{Name: "tag"},
			&cli.StringFlag{Name: "parent", Usage: "only sub-tasks of this `ID`"},
			&cli.DurationFlag{Name: "idle", Usage: "only tasks that have not ended and to which nothing happened for so `LONG`, such as 1h"},
			&cli.BoolFlag{Name: "no-worker", Usage: "only tasks that no living worker can run"},
			&cli.StringFlag{Name: "before", Usage: "the last `ID` of the page before"},
			&cli.IntFlag{Name: "limit", Value: 100, Usage: "at most so many, up to 1000"},
		)},
		{Name: "show", Usage: "show a task with its steps", ArgsUsage: "ID", Action: at(show), Flags: onDatabase()},
		{Name: "history", Usage: "show everything that happened to a task", ArgsUsage: "ID", Action: at(tellHistory), Flags: onDatabase()},
		{Name: "cancel", Usage: "end a task", ArgsUsage: "ID", Action: at(cancel), Flags: byHand(
			&cli.BoolFlag{Name: "children", Usage: "cancel its sub-tasks too"},
			&cli.BoolFlag{Name: "undo", Usage: "undo what its steps did, which cannot be done later; this needs a worker"},
		)},
		{Name: "retry", Usage: "give a blocked task another chance", ArgsUsage: "ID", Flags: byHand(), Action: at(func(ctx context.Context, d *desk) error {
			id, err := d.task()
			if err != nil {
				return err
			}
			t, err := d.RetryTask(ctx, id, d.by())
			return d.after(t, err)
		})},
		{Name: "resolve", Usage: "take a task on yourself: it ends as resolved_manually", ArgsUsage: "ID", Flags: byHand(), Action: at(func(ctx context.Context, d *desk) error {
			id, err := d.task()
			if err != nil {
				return err
			}
			t, err := d.ResolveTask(ctx, id, d.by())
			return d.after(t, err)
		})},
	}
}

func list(ctx context.Context, d *desk) error {
	if _, err := d.args(); err != nil {
		return err
	}
	f := tasker.Filter{
		Namespace: d.c.String("namespace"), Name: d.c.String("name"), Tag: d.c.String("tag"),
		Idle: d.c.Duration("idle"), NoWorker: d.c.Bool("no-worker"), Limit: d.c.Int("limit"),
	}
	if f.Limit < 1 || f.Limit > tasker.MaxRows {
		return usagef("-limit %d: it must be from 1 to %d", f.Limit, tasker.MaxRows)
	}
	if f.Idle < 0 {
		return usagef("-idle %v: it must not be negative", f.Idle)
	}
	for _, name := range d.c.StringSlice("state") {
		var state tasker.TaskState
		if err := state.UnmarshalText([]byte(name)); err != nil {
			return usagef("-state: %s", err)
		}
		f.States = append(f.States, state)
	}
	for flag, id := range map[string]*tasker.ID{"parent": &f.Parent, "before": &f.Before} {
		if text := d.c.String(flag); text != "" {
			var err error
			if *id, err = idOf(text); err != nil {
				return err
			}
		}
	}
	rows, err := d.Rows(ctx, f)
	if err != nil {
		return err
	}
	return d.rows(rows, f.Limit)
}

func show(ctx context.Context, d *desk) error {
	id, err := d.task()
	if err != nil {
		return err
	}
	t, err := d.Task(ctx, id)
	if err != nil {
		return err
	}
	status, err := d.Status(ctx, id)
	if err != nil {
		return err
	}
	alone, err := d.Rows(ctx, tasker.Filter{IDs: []tasker.ID{id}, NoWorker: true})
	if err != nil {
		return err
	}
	return d.show(t, status, len(alone) > 0)
}

func tellHistory(ctx context.Context, d *desk) error {
	id, err := d.task()
	if err != nil {
		return err
	}
	records, err := d.History(ctx, id)
	if err != nil {
		return err
	}
	if d.json {
		return d.document(historyOf(records))
	}
	fmt.Fprint(d.out, history.Text(records))
	return nil
}

func cancel(ctx context.Context, d *desk) error {
	id, err := d.task()
	if err != nil {
		return err
	}
	var how []tasker.How
	if d.c.Bool("children") {
		how = append(how, tasker.WithChildren)
	}
	if d.c.Bool("undo") {
		how = append(how, tasker.WithUndo)
	}
	if err := d.Cancel(ctx, id, d.by(), how...); err != nil {
		return err
	}
	t, err := d.Task(ctx, id)
	return d.after(t, err)
}
