// Taskerctl looks at tasks and lends them a hand: it lists them, shows what
// happened, cancels, retries, answers and resolves. It needs the database that
// the workers use and none of the workers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker/history"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitDone       = 0
	exitRefused    = 1 // the task is not there, or what was asked for cannot be done
	exitUsage      = 2
	exitNoDatabase = 3
)

// usageError is a command that was given wrongly.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// errNoDatabase is wrapped by what keeps us from the database.
var errNoDatabase = errors.New("no database")

// run is the whole program, but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var unknown error
	err := commands(stdout, stderr, &unknown).Run(ctx, args)
	if err == nil {
		err = unknown
	}
	if err == nil {
		return exitDone
	}
	exit, more := exitRefused, ""
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		exit, more = exitUsage, "; -h tells more"
	case errors.Is(err, errNoDatabase):
		exit = exitNoDatabase
	}
	fmt.Fprintf(stderr, "taskerctl: %s%s\n", history.Line(err.Error()), more)
	return exit
}

// commands are the program's. Where help is asked for a command that there is
// not, the library returns no error, so it is left in unknown.
func commands(stdout, stderr io.Writer, unknown *error) *cli.Command {
	root := &cli.Command{
		Name:  "taskerctl",
		Usage: "look at tasks, and lend them a hand",
		Description: `The database is named by -db or DATABASE_URL.

  taskerctl tasks list -state blocked_by_failures
  taskerctl tasks show ID
  taskerctl tasks history ID
  taskerctl tasks retry ID -reason "the bank is open again"
  taskerctl steps complete ID process_payment -result '{"payment_id": "pay_1"}' -reason "booked by hand"
  taskerctl approvals list
  taskerctl approvals approve ID -reason "a good customer"
  taskerctl consumers list
  taskerctl templates validate templates/*.yaml

Exit codes: 0 done, 1 not found or refused, 2 wrong usage, 3 no database.`,
		Commands: []*cli.Command{
			{Name: "tasks", Usage: "list, show, steer tasks", Commands: taskCommands()},
			{Name: "steps", Usage: "steer the steps of a task", Commands: stepCommands()},
			{Name: "approvals", Usage: "answer what tasks wait for", Commands: approvalCommands()},
			{Name: "consumers", Usage: "see how far the readers of domain events are", Commands: consumerCommands()},
			{Name: "templates", Usage: "check and draw templates", Commands: templateCommands()},
		},
	}
	each(root, func(c *cli.Command) {
		c.Writer, c.ErrWriter = stdout, stderr
		c.Suggest, c.HideHelpCommand, c.HideVersion = true, true, true
		c.ExitErrHandler = func(context.Context, *cli.Command, error) {} // run does that
		c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error { return usagef("%s", err) }
		if c.Action == nil {
			c.Action = group
			c.CommandNotFound = func(_ context.Context, c *cli.Command, name string) { *unknown = noCommand(c, name) }
		}
	})
	return root
}

func each(c *cli.Command, do func(*cli.Command)) {
	do(c)
	for _, sub := range c.Commands {
		each(sub, do)
	}
}

// group is what a command does that has commands of its own.
func group(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return noCommand(c, c.Args().First())
	}
	return cli.ShowSubcommandHelp(c)
}

func noCommand(c *cli.Command, name string) error {
	var names []string
	for _, sub := range c.Commands {
		names = append(names, sub.Name)
	}
	return usagef("%s has no command %q; there is %s", c.Name, name, strings.Join(names, ", "))
}

// onDatabase are the flags of every command that wants one.
func onDatabase(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringFlag{Name: "db", Usage: "a postgres:// `URL`", Sources: cli.EnvVars("DATABASE_URL")},
		&cli.StringFlag{Name: "schema", Value: "tasker", Usage: "the `NAME` of the schema with the tasks"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON and nothing else"},
	)
}

// byHand are the flags of every command that changes a task.
func byHand(more ...cli.Flag) []cli.Flag {
	return onDatabase(append(more,
		&cli.StringFlag{Name: "reason", Usage: "`WHY`; it goes into the task's history"},
		&cli.StringFlag{Name: "actor", Value: userName(), Usage: "`WHO`; it goes into the task's history"},
	)...)
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "taskerctl"
}
