package posttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is the post in a process of its own.
type Process[N any] struct {
	*exec.Cmd
	began  time.Time
	stdout *bufio.Reader
	shown  bytes.Buffer // of standard output, as far as it was read
	output io.Closer
	stdErr bytes.Buffer
}

// Start runs the post with an input and more variables for its environment.
// Its TestMain must be [Main].
func (r Runner[N]) Start(t testing.TB, input string, environment []string, args ...string) *Process[N] {
	t.Helper()
	p := &Process[N]{Cmd: exec.Command(os.Args[0], args...), began: time.Now()}
	p.Env = append(append(slices.Clone(os.Environ()), runThePost+"=1"), environment...)
	p.Stdin = strings.NewReader(input)
	p.Stderr = &p.stdErr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.output, p.stdout = out, bufio.NewReader(io.TeeReader(out, &p.shown))
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // where the test gave up
	return p
}

// Until reads standard output up to a line that has all of these words.
func (p *Process[N]) Until(t testing.TB, words ...string) {
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

// Shown is what the post has written to standard output, as far as it was
// read.
func (p *Process[N]) Shown() string { return p.shown.String() }

// Said is what it has written to standard error. It is for after the end.
func (p *Process[N]) Said() string { return p.stdErr.String() }

// GoAway stops reading what the post writes.
func (p *Process[N]) GoAway() { _ = p.output.Close() }

// End waits until the process has ended. Its exit code is -1 when it was
// killed.
func (p *Process[N]) End(t testing.TB) Outcome[N] {
	t.Helper()
	_, _ = io.Copy(io.Discard, p.stdout)
	err := p.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	o := Outcome[N]{Exit: p.ProcessState.ExitCode(), Stdout: p.shown.String(), Stderr: p.stdErr.String(), Took: time.Since(p.began)}
	_ = json.Unmarshal([]byte(o.Stdout), &o.Report) // it is no report without -json
	return o
}

// Killed says whether the process ended by SIGKILL.
func (p *Process[N]) Killed() bool {
	status, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Crash runs the post until it has killed itself.
func (r Runner[N]) Crash(t testing.TB, input string, environment []string, args ...string) {
	t.Helper()
	p := r.Start(t, input, environment, args...)
	if o := p.End(t); !p.Killed() {
		t.Fatalf("the post was not killed but ended with exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
}
