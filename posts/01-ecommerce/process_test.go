package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// TestMain makes the test binary the post itself when it is asked to: tests
// that kill the post need a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(runThePost) != "" {
		main()
	}
	if url := os.Getenv("DATABASE_URL"); url != "" {
		// For the tests it is a server to make databases on; for the post it
		// would be where to run.
		os.Setenv("TASKER_TEST_DATABASE_URL", url)
		os.Unsetenv("DATABASE_URL")
	}
	os.Exit(m.Run())
}

const runThePost = "RUN_THE_POST"

// database is a new database of the test's own, as its URL.
func database(t *testing.T) string {
	t.Helper()
	server := taskertest.PostgresURL(t)
	name := taskertest.Schema(t) // only its name is of use here
	do := func(statement string) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	do("create database " + name)
	t.Cleanup(func() { do("drop database " + name + " with (force)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// ask gives the one value that a query finds.
func ask[T any](t *testing.T, url, query string, args ...any) (answer T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), query, args...).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// process is the post in a process of its own.
type process struct {
	*exec.Cmd
	began  time.Time
	output io.Closer
	stdout *bufio.Reader
	shown  bytes.Buffer // of standard output, as far as it was read
	stdErr bytes.Buffer
}

// start runs the post with an input and more variables for its environment.
func start(t *testing.T, input string, environment []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), began: time.Now()}
	p.Env = append(append(slices.Clone(os.Environ()), runThePost+"=1"), environment...)
	p.Stdin = strings.NewReader(input)
	p.Stderr = &p.stdErr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.output, p.stdout = out, bufio.NewReader(io.TeeReader(out, &p.shown))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // where the test gave up
	return p
}

// until reads standard output up to a line that has all of these words.
func (p *process) until(t *testing.T, words ...string) {
	t.Helper()
	for {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			t.Fatalf("the post ended before it said %q:\n%s%s", words, p.shown.String(), p.stdErr.String())
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return
		}
	}
}

// end waits until the process has ended. Its exit code is -1 when it was
// killed.
func (p *process) end(t *testing.T) outcome {
	t.Helper()
	_, _ = io.Copy(io.Discard, p.stdout)
	err := p.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	o := outcome{exit: p.ProcessState.ExitCode(), stdout: p.shown.String(), stderr: p.stdErr.String(), took: time.Since(p.began)}
	_ = json.Unmarshal([]byte(o.stdout), &o.report) // it is no report without -json
	return o
}

// killed says whether the process ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// crash runs the post until it has killed itself.
func crash(t *testing.T, input string, environment []string, args ...string) {
	t.Helper()
	p := start(t, input, environment, args...)
	if o := p.end(t); !p.killed() {
		t.Fatalf("the post was not killed but ended with exit %d\n%s%s", o.exit, o.stdout, o.stderr)
	}
}

// customer is an order of 2 pieces of product 1 and one of product 2, by a
// customer of that name.
func customer(name string) string {
	return customerOrder(fmt.Sprintf(`"email": "customer@example.com", "name": %q`, name), "tok_test_valid", "124.76", 1, 2, 2, 1)
}

// onceOnly checks that an order of customer left behind what one order does.
func (o outcome) onceOnly(t *testing.T) {
	t.Helper()
	if o.exit != 0 || len(o.Tasks) == 0 {
		t.Fatalf("exit %d\n%s%s", o.exit, o.stdout, o.stderr)
	}
	for _, task := range o.Tasks {
		for _, s := range task.Steps {
			if s.State != "complete" || s.Error != nil {
				t.Errorf("%s is %s, with error %v", s.Name, s.State, s.Error)
			}
		}
	}
	if n := o.Notes; n.Charges != 1 || n.Charged != "124.76" || n.Orders != 1 || n.Mails != 1 || n.Stock["1"] != 98 || n.Stock["2"] != 49 {
		t.Errorf("what is left behind: %+v", n)
	}
}
