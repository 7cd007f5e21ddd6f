// Package post runs a post's example: the flags, the timeline, the report and
// the exit codes that every post has in common.
//
// A post's main is one call of [Run] with a [Post]: its templates, the task
// that it is about, an example of its input and the handlers. What the
// handlers act upon, the ledger, the stock, the users, is kept in a [World].
package post

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Post is what one post brings to its run.
type Post struct {
	Name      string  // of the folder: 01-ecommerce
	About     string  // one sentence for the help
	Templates []fs.FS // each has *.yaml, in templates/
	Task      string  // the task that runs without -task: namespace/name
	Example   []byte  // its input without -input, a JSON object
	Flags     []Flag  // of this post alone

	// Handlers makes the post's handlers upon a world.
	Handlers func(*World) tasker.Handlers

	// Configure may set limits and more middleware. It may be nil, as may all
	// that follow.
	Configure func(*World, *tasker.Config)

	// Attend is given the engine before anything is submitted to it: to
	// subscribe to domain events, to consume them, to serve what it knows. ctx
	// ends when the run is interrupted. leave, unless it is nil, is called once
	// nothing moves any more and the engine has stopped, before Notes: what has
	// still to be read is read then. It is given the tasks, none where the run
	// has failed, and waits for nobody for long.
	Attend func(ctx context.Context, w *World, e *tasker.Engine) (leave func([]*tasker.Task), err error)

	// Answer answers what a parked step of the run asks, or says that nobody
	// does.
	Answer func(w *World, task *tasker.Task, step string, q *tasker.Wait) (answer any, by tasker.By, ok bool)

	// Notes gives the figures of one task's world for the report, and Tell
	// puts them into words for the terminal.
	Notes func(w *World, task tasker.ID) map[string]any
	Tell  func(w *World, task tasker.ID) []string

	// Conclude says what concerns the run as a whole, in lines that follow all
	// tasks on the terminal.
	Conclude func(*World) []string

	// Services tells what the run asked of its services.
	Services func(*World) []Service

	// Next are the arguments that a reader may want to try, in this order.
	Next []string
}

// Flag is a flag of one post: -Name=VALUE, as often as wanted. The values are
// [World.Flag]'s.
type Flag struct {
	Name, Value string                   // -service, NAME=FAULT
	About       string                   // one line for the help
	Check       func(value string) error // says what is wrong with a value
}

// The exit codes of a run.
const (
	exitComplete    = 0   // every task is complete
	exitFailed      = 1   // a task ended otherwise
	exitUsage       = 2   // wrong usage, or input that was rejected
	exitNoDatabase  = 3   // no database
	exitInterrupted = 130 // Ctrl-C
)

// lease is short, so that a run that takes over a dead one need not wait.
const lease = 2 * time.Second

// Run is a post's main. It does not return. The first Ctrl-C ends the run in
// good order, the second one ends the process. A reader that has gone away,
// such as head, ends nothing: there may be a server to stop.
func Run(p Post) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := p.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main is the whole program, with its exit code as the result. Tests call it
// as Run does.
func (p Post) Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &output{to: stdout}
	code := p.run(ctx, args, stdin, out, stderr)
	if err := out.lost(); err != nil {
		fmt.Fprintf(stderr, "%s: standard output could not be written, so what is there is not all: %v\n", p.Name, err)
		return max(code, exitFailed)
	}
	return code
}

func (p Post) run(ctx context.Context, args []string, stdin io.Reader, stdout *output, stderr io.Writer) int {
	r := &run{post: p, stdout: stdout, stderr: stderr}
	o, err := p.parse(ctx, args, stdin)
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stdout, p.help())
		return exitComplete
	case err != nil && ctx.Err() != nil:
		r.say("interrupted")
		return exitInterrupted
	case err != nil:
		r.say("%v", err)
		return exitCode(err)
	}
	r.options = o
	report, err := r.execute(ctx)
	if o.json {
		writeJSON(stdout, report)
	}
	switch {
	case ctx.Err() != nil && r.goesOn(report):
		r.say("interrupted; the same command goes on with what is left")
		return exitInterrupted
	case ctx.Err() != nil:
		r.say("interrupted")
		return exitInterrupted
	case err != nil:
		r.say("%s", oneLine(err))
		return exitCode(err)
	case !report.complete():
		return exitFailed
	}
	return exitComplete
}

func writeJSON(w io.Writer, report *Report) {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(report) // output keeps the error
}

// usage is an error of whoever typed the command.
type usage string

func (u usage) Error() string { return string(u) }

// WrongUsage makes an error of whoever typed the command, also for what a post
// finds only when it begins: the run ends with exit code 2.
func WrongUsage(format string, args ...any) error { return usage(fmt.Sprintf(format, args...)) }

// noDatabase is an error of the place that the command runs in.
type noDatabase string

func (n noDatabase) Error() string { return string(n) }

func exitCode(err error) int {
	var rejected *tasker.Rejected
	var wrong usage
	var missing noDatabase
	switch {
	case errors.As(err, &wrong), errors.As(err, &rejected):
		return exitUsage
	case errors.As(err, &missing):
		return exitNoDatabase
	default:
		return exitFailed
	}
}
