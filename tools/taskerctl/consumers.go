package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker"
)

func consumerCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "list", Usage: "list who has read domain events, and what each has yet to read", Flags: onDatabase(), Action: at(consumers)},
		{Name: "forget", Usage: "give up a consumer that nobody runs any more, so that nothing is kept for it", ArgsUsage: "NAME", Flags: onDatabase(), Action: at(forget)},
	}
}

// consumer is a consumer in a list.
type consumer struct {
	Name     string    `json:"name"`
	Held     bool      `json:"held"`
	Unread   int64     `json:"unread"`
	OldestAt time.Time `json:"oldest_at,omitzero"`
}

func consumers(ctx context.Context, d *desk) error {
	if _, err := d.args(); err != nil {
		return err
	}
	found, err := d.Consumers(ctx)
	if err != nil {
		return err
	}
	return d.consumers(found)
}

func forget(ctx context.Context, d *desk) error {
	args, err := d.args("NAME")
	if err != nil {
		return err
	}
	if err := d.ForgetConsumer(ctx, args[0]); err != nil {
		return err
	}
	if d.json {
		return d.document(map[string]any{"forgotten": args[0]})
	}
	fmt.Fprintf(d.out, "consumer %s is forgotten; under its name somebody begins with the oldest event\n", args[0])
	return nil
}

func (p *printer) consumers(found []tasker.ConsumerProgress) error {
	all := make([]consumer, len(found))
	lines := [][]string{{"CONSUMER", "READER", "UNREAD", "OLDEST"}}
	for i, c := range found {
		all[i] = consumer{c.Name, c.Held, c.Unread, c.Oldest}
		reader, oldest := "nobody", ""
		if c.Held {
			reader = "alive"
		}
		if !c.Oldest.IsZero() {
			oldest = c.Oldest.Local().Format(time.DateTime)
		}
		lines = append(lines, []string{c.Name, reader, fmt.Sprint(c.Unread), oldest})
	}
	if p.json {
		return p.document(map[string]any{"consumers": all})
	}
	if len(all) == 0 {
		fmt.Fprintln(p.out, "nobody has read events")
		return nil
	}
	return p.table(lines)
}
