package mdcheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// maxOutput is the most that a command of a transcript may print, in bytes.
const maxOutput = 1 << 20

// execute runs a command line with nothing to read from and in a process group
// of its own, all of which is gone when it returns. What it prints on either
// stream comes back, in the order in which it was printed, with the exit code.
func execute(ctx context.Context, dir string, timeout time.Duration, line string) (printed []byte, code int, err error) {
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "TERM=dumb")
	return runGroup(ctx, cmd, dir, timeout, maxOutput)
}

// runGroup runs a command under a timeout and a bound on its output.
func runGroup(ctx context.Context, cmd *exec.Cmd, dir string, timeout time.Duration, limit int) (printed []byte, code int, err error) {
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	out := &bounded{limit: limit, over: stop}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.WaitDelay = 500 * time.Millisecond // for what it has left behind
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("it cannot be started: %w", plain(err))
	}
	done := make(chan struct{})
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		select {
		case <-ctx.Done():
			killGroup(cmd)
		case <-done:
		}
	}()
	err = cmd.Wait()
	close(done)
	<-killed
	killGroup(cmd)
	var exit *exec.ExitError
	switch {
	case out.isFull():
		return nil, 0, fmt.Errorf("it printed more than %d kB and was stopped", limit>>10)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, 0, fmt.Errorf("it was still running after %v and was stopped; timeout=… gives it longer", timeout)
	case ctx.Err() != nil:
		return nil, 0, errors.New("it was interrupted")
	case err == nil, errors.As(err, &exit), errors.Is(err, exec.ErrWaitDelay):
		return out.text, codeOf(cmd.ProcessState), nil
	default:
		return nil, 0, err
	}
}

// codeOf is an exit code as a shell gives it: a process that a signal has ended
// has 128 and the signal's number.
func codeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// bounded keeps what is written to it up to a limit, and calls over when
// there is more.
type bounded struct {
	mu    sync.Mutex
	text  []byte
	limit int
	full  bool
	over  func()
}

func (b *bounded) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.text)+len(text) > b.limit {
		b.full = true
		b.over()
		return len(text), nil
	}
	b.text = append(b.text, text...)
	return len(text), nil
}

func (b *bounded) isFull() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}
