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
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// Post is what one post brings to its run.
type Post struct {
	Name      string // of the folder: 01-ecommerce
	About     string // one sentence for the help
	Templates fs.FS  // *.yaml, in templates/
	Task      string // the task that runs without -task: namespace/name
	Example   []byte // its input without -input, a JSON object

	// Handlers makes the post's handlers upon a world.
	Handlers func(*World) tasker.Handlers

	// Notes gives the figures of one task's world for the report, and Tell
	// puts them into words for the terminal. Both may be nil.
	Notes func(w *World, task tasker.ID) map[string]any
	Tell  func(w *World, task tasker.ID) []string

	// Next are the arguments that a reader may want to try, in this order.
	Next []string
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

// Run is a post's main. It does not return.
func Run(p Post) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := p.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main is the whole program, with its exit code as the result. Tests call it
// as Run does.
func (p Post) Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := p.parse(args, stdin)
	if errors.Is(err, errHelp) {
		fmt.Fprint(stdout, p.help())
		return exitComplete
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitCode(err)
	}
	r := &run{post: p, options: o, world: NewWorld(), stdout: stdout, stderr: stderr}
	report, err := r.execute(ctx)
	if o.json {
		writeJSON(stdout, report)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitCode(err)
	}
	if ctx.Err() != nil {
		fmt.Fprintf(stderr, "%s: interrupted\n", p.Name)
		return exitInterrupted
	}
	if !report.complete() {
		return exitFailed
	}
	return exitComplete
}

func writeJSON(w io.Writer, report *Report) {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(report) // a reader that has gone away wants no more
}

// usage is an error of whoever typed the command.
type usage string

func (u usage) Error() string { return string(u) }

func usagef(format string, args ...any) error { return usage(fmt.Sprintf(format, args...)) }

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

// run is one run of a post.
type run struct {
	post    Post
	options *options
	world   *World
	stdout  io.Writer
	stderr  io.Writer

	engine   *tasker.Engine
	timeline *timeline
	began    time.Time
}

// execute submits the tasks, waits until nothing moves any more, and reports.
func (r *run) execute(ctx context.Context) (*Report, error) {
	report := &Report{Tasks: []*tasker.Task{}}
	o := r.options
	r.began = time.Now()
	r.timeline = newTimeline(r.stdout, o, r.began)
	defer r.timeline.close()
	faults := newFaults(o)
	engine, err := tasker.New(tasker.Config{
		Store: memory.New(), Templates: o.templates, Handlers: r.post.Handlers(r.world),
		Environment: o.environment, Lease: lease, Tag: o.tag,
		Middleware: []tasker.Middleware{faults.middleware},
		Observe:    r.timeline.observe,
		Logger:     slog.New(slog.NewTextHandler(r.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return report, err
	}
	r.engine = engine
	ids, err := r.submit(ctx)
	if err != nil {
		var rejected *tasker.Rejected
		if errors.As(err, &rejected) {
			report.Rejected = rejection(rejected)
		}
		return report, err
	}
	if err := r.work(ctx, ids); err != nil {
		return report, err
	}
	if err := r.fill(report, ids); err != nil {
		return report, err
	}
	r.timeline.close()
	if !o.json {
		r.summarize(report)
	}
	return report, nil
}

func (r *run) submit(ctx context.Context) ([]tasker.ID, error) {
	o := r.options
	requests := make([]tasker.Request, o.n)
	for i := range requests {
		requests[i] = tasker.Request{
			Namespace: o.task.Namespace, Name: o.task.Name, Version: o.task.Version,
			Context: o.input, Tag: o.tag,
		}
	}
	submissions, err := r.engine.SubmitAll(ctx, requests)
	ids := make([]tasker.ID, len(submissions))
	for i, s := range submissions {
		ids[i] = s.ID
	}
	return ids, err
}

// work runs the tasks until each has ended or come to rest.
func (r *run) work(ctx context.Context, ids []tasker.ID) error {
	if err := r.engine.Start(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := r.engine.Wait(ctx, id); err != nil && ctx.Err() == nil {
			return err
		}
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	return r.engine.Stop(stop)
}
