package post

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/payload"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// options is what the flags said, checked against the post's templates.
type options struct {
	args        []string
	task        *template.Template
	templates   []*template.Template
	input       json.RawMessage
	json        bool
	environment string
	n           int
	fail        map[string]failure
	hang        map[string]time.Duration
	db          string              // memory, postgres or a URL
	key         string              // of every request; "" for none
	crashIn     string              // a step; "" for none
	crashAfter  string              // likewise
	own         map[string][]string // the values of the post's own flags
	keep        bool
}

// failure is what -fail asks of a step.
type failure struct {
	times     int // the first attempts that fail as retryable
	permanent bool
}

var errHelp = errors.New("help is wanted")

// parse reads the command line. Its errors are one line each.
func (p Post) parse(ctx context.Context, args []string, stdin io.Reader) (*options, error) {
	o := &options{args: args, fail: map[string]failure{}, hang: map[string]time.Duration{}, own: map[string][]string{}}
	for _, files := range p.Templates {
		templates, err := template.Load(files, "templates/*.yaml")
		if err != nil {
			return nil, err
		}
		o.templates = append(o.templates, templates...)
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	input := flags.String("input", "", "")
	task := flags.String("task", p.Task, "")
	flags.StringVar(&o.db, "db", "", "")
	flags.BoolVar(&o.keep, "keep", false, "")
	flags.Func("crash-after", "", func(s string) error { o.crashAfter = s; return o.checkStep(s) })
	flags.Func("crash-in", "", func(s string) error { o.crashIn = s; return o.checkStep(s) })
	flags.StringVar(&o.key, "key", "", "")
	flags.BoolVar(&o.json, "json", false, "")
	flags.StringVar(&o.environment, "env", "", "")
	flags.IntVar(&o.n, "n", 1, "")
	flags.Func("fail", "", func(s string) error { return o.parseFail(s) })
	flags.Func("hang", "", func(s string) error { return o.parseHang(s) })
	for _, f := range p.Flags {
		flags.Func(f.Name, "", func(s string) error { o.own[f.Name] = append(o.own[f.Name], s); return f.Check(s) })
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, errHelp
	case err != nil:
		return nil, WrongUsage("%v; -h lists the flags", err)
	case flags.NArg() > 0:
		return nil, WrongUsage("%q is not a flag; flags come first and begin with -", flags.Arg(0))
	case len(o.key) > maxKey:
		return nil, WrongUsage("-key: it has %d bytes, and %d are the limit", len(o.key), maxKey)
	case o.n < 1 || o.n > maxTasks:
		return nil, WrongUsage("-n %d: it must be from 1 to %d", o.n, maxTasks)
	}
	if o.task, err = findTask(o.templates, *task); err != nil {
		return nil, err
	}
	if err := o.checkEnvironment(); err != nil {
		return nil, err
	}
	if err := o.checkDB(); err != nil {
		return nil, err
	}
	o.input, err = readInput(ctx, *input, p.Example, stdin)
	return o, err
}

// maxTasks bounds -n to what a report can hold.
const maxTasks = 10_000

// maxKey leaves room for the run's tag before the key.
const maxKey = 200

// oneTask says that there will be no more than one, however often it is
// submitted.
func (o *options) oneTask() bool { return o.n == 1 || o.key != "" }

// findTask finds the template of -task NAMESPACE/NAME[@VERSION], the newest
// when no version is given.
func findTask(templates []*template.Template, task string) (*template.Template, error) {
	var found *template.Template
	var names []string
	for _, t := range templates {
		names = append(names, t.String())
		if t.String() == task {
			return t, nil
		}
		if t.Namespace+"/"+t.Name == task && (found == nil || t.NewerThan(found)) {
			found = t
		}
	}
	if found == nil {
		return nil, WrongUsage("-task %s: there is no such task; this post has %s", task, strings.Join(names, ", "))
	}
	return found, nil
}

// checkEnvironment holds -env to what the templates have. TASKER_ENV is the
// default.
func (o *options) checkEnvironment() error {
	from := "-env"
	if o.environment == "" {
		o.environment, from = os.Getenv("TASKER_ENV"), "TASKER_ENV"
	}
	var known []string
	for _, t := range o.templates {
		known = append(known, t.Environments()...)
	}
	known = append(known, "development")
	slices.Sort(known)
	if o.environment != "" && !slices.Contains(known, o.environment) {
		return WrongUsage("%s %s: no template has it; there is %s", from, o.environment, strings.Join(slices.Compact(known), ", "))
	}
	return nil
}

func (o *options) parseFail(s string) error {
	step, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("it must be STEP=N or STEP=permanent")
	}
	if err := o.checkStep(step); err != nil {
		return err
	}
	if value == "permanent" {
		o.fail[step] = failure{permanent: true}
		return nil
	}
	times, err := strconv.Atoi(value)
	if err != nil || times < 1 {
		return fmt.Errorf("%q is neither a number from 1 nor permanent", value)
	}
	o.fail[step] = failure{times: times}
	return nil
}

func (o *options) parseHang(s string) error {
	step, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("it must be STEP=DURATION, such as %s=20s", s)
	}
	if err := o.checkStep(step); err != nil {
		return err
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration; it looks like 300ms or 20s", value)
	}
	o.hang[step] = d
	return nil
}

func (o *options) checkStep(step string) error {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) { // two versions of a template share most of their steps
			names = append(names, name)
		}
	}
	for _, t := range o.templates {
		for i := range t.Steps {
			add(t.Steps[i].Name)
			if t.Steps[i].Compensate != nil {
				add(faultName(t.Steps[i].Name, true))
			}
		}
	}
	if slices.Contains(names, step) {
		return nil
	}
	return fmt.Errorf("there is no step %q; this post has %s", step, strings.Join(names, ", "))
}

// readInput reads the task's context: a file, standard input for "-", or the
// post's example. It may have to wait for who writes it; the end of ctx ends
// that.
func readInput(ctx context.Context, file string, example []byte, stdin io.Reader) (json.RawMessage, error) {
	if file == "" {
		return example, nil
	}
	type result struct {
		raw []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		raw, err := readAll(file, stdin)
		done <- result{raw, err}
	}()
	select {
	case r := <-done:
		return r.raw, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func readAll(file string, stdin io.Reader) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, WrongUsage("-input: %v", err)
		}
		defer f.Close()
		stdin = f
	}
	raw, err := io.ReadAll(io.LimitReader(stdin, payload.MaxBytes+1))
	if err != nil {
		return nil, WrongUsage("-input: %v", err)
	}
	return raw, nil
}

func (p Post) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", p.About)
	command := "go run ./posts/" + p.Name
	fmt.Fprintf(&b, "  %s\n", command)
	for _, next := range p.Next {
		fmt.Fprintf(&b, "  %s %s\n", command, next)
	}
	fmt.Fprintf(&b, `
Input      -input FILE                the task's context as JSON; - is standard input
           -task NAMESPACE/NAME[@VERSION]
                                      which template; default %s
           -env NAME                  the template's environment; default TASKER_ENV, else development
           -n N                       that many tasks at once, each in a world of its own
           -key KEY                   the idempotency key of each request: with -n 2, the same one comes twice
Break it   -fail STEP=N               the first N attempts of STEP do their work, but their answer is lost
           -fail STEP=permanent       STEP fails for good
           -hang STEP=DURATION        the first attempt of STEP takes that long
           -crash-in STEP             SIGKILL when STEP has done its work and nobody knows yet (needs -db postgres)
           -crash-after STEP          SIGKILL once STEP is complete (likewise); the same command again goes on
           undo:STEP                  in each of these is the undoing of STEP
%sOutput     -json                      print the report as one JSON document, and nothing else
Database   -db WHERE                  memory (default), postgres, or a postgres:// URL; DATABASE_URL sets it too.
                                      postgres finds one: DATABASE_URL, else the PostgreSQL installed here,
                                      else one in Docker
           -keep                      leave the server that -db postgres started running

Exit codes: 0 every task complete, 1 a task ended otherwise, 2 wrong usage or rejected input,
3 no database, 130 interrupted.
`, p.Task, p.ownFlags())
	return b.String()
}

// ownFlags is the help on what this post alone takes.
func (p Post) ownFlags() string {
	var b strings.Builder
	for _, f := range p.Flags {
		fmt.Fprintf(&b, "           %-26s %s\n", "-"+f.Name+" "+f.Value, f.About)
	}
	return b.String()
}
