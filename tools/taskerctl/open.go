package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
)

// desk is a command at work: an engine that runs nothing, on the database.
type desk struct {
	*tasker.Engine
	*printer
	c *cli.Command
}

// at gives a command its desk.
func at(work func(ctx context.Context, d *desk) error) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		url := c.String("db")
		if url == "" {
			return usagef("which database? name it by -db or DATABASE_URL")
		}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		store, err := postgres.Open(ctx, url, postgres.Options{Schema: c.String("schema"), Existing: true, NoListen: true, Logger: quiet})
		var malformed *pgconn.ParseConfigError
		switch {
		case errors.As(err, &malformed):
			return usagef("-db: %s; it looks like postgres://user:password@host:5432/database", malformed) // pgx hides the password
		case err != nil:
			return fmt.Errorf("%w: %w", errNoDatabase, err)
		}
		defer store.Close()
		engine, err := tasker.New(tasker.Config{Store: store, Logger: quiet})
		if err != nil {
			return err
		}
		return work(ctx, &desk{engine, &printer{c.Root().Writer, c.Bool("json")}, c})
	}
}

// by says who uses the command, and why.
func (d *desk) by() tasker.By {
	return tasker.By{Actor: d.c.String("actor"), Reason: d.c.String("reason")}
}

// args gives the command's arguments, as many as it has names.
func (d *desk) args(names ...string) ([]string, error) { return argsOf(d.c, names...) }

func argsOf(c *cli.Command, names ...string) ([]string, error) {
	args := c.Args().Slice()
	switch {
	case len(args) < len(names):
		return nil, usagef("%s: %s is missing", c.Name, names[len(args)])
	case len(args) > len(names):
		return nil, usagef("%s: %q is one argument too many", c.Name, args[len(names)])
	}
	return args, nil
}

func idOf(text string) (tasker.ID, error) {
	id, err := tasker.ParseID(text)
	if err != nil {
		return id, usagef("%q is not the id of a task", text)
	}
	return id, nil
}

// task gives the id of a command whose only argument that is.
func (d *desk) task() (tasker.ID, error) {
	args, err := d.args("ID")
	if err != nil {
		return tasker.ID{}, err
	}
	return idOf(args[0])
}
