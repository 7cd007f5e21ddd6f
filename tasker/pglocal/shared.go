package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Shared gives the one server of this user whose data is in
// folder/postgres-MAJOR, and starts it if it does not run. An empty folder
// means the user's cache folder. ctx bounds the start.
//
// A process that is killed leaves the server running, and the next one finds
// it. Two files beside the data make that safe for any number of processes:
// one is locked by who starts or stops the server, the other is held, shared,
// by everyone who uses it. Who stops using it and can have the second for
// itself was the last.
func Shared(ctx context.Context, folder string) (*Server, error) {
	bin, err := find(ctx)
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	if folder, err = sharedFolder(folder, as); err != nil {
		return nil, err
	}
	s := &shared{bin: bin, as: as, data: filepath.Join(folder, fmt.Sprintf("postgres-%d", bin.major))}
	if err := s.join(ctx); err != nil {
		return nil, err
	}
	return &Server{url: urlOf(s.socket), stop: sync.OnceValue(s.leave)}, nil
}

// shared is one use of the shared server.
type shared struct {
	bin    binaries
	as     *account
	data   string
	socket string
	use    *os.File // locked, shared, as long as this use lasts
}

// join counts this process among the users and sees that the server runs.
func (s *shared) join(ctx context.Context) error {
	turn, err := lockFile(ctx, s.data+".lock", exclusive)
	if err != nil {
		return err
	}
	defer turn.Close()
	if s.socket, err = socketFolder(s.data, s.as); err != nil {
		return err
	}
	if s.use, err = lockFile(ctx, s.data+".users", together); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		_ = s.use.Close()
		return err
	}
	return nil
}

// leave ends this use, and the server with the last one.
func (s *shared) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*startLimit)
	defer cancel()
	defer s.use.Close()
	turn, err := lockFile(ctx, s.data+".lock", exclusive)
	if err != nil {
		return err
	}
	defer turn.Close()
	if last, err := tryLock(s.use, exclusive); err != nil || !last {
		return err
	}
	return s.end(ctx)
}

// run starts the server unless it runs already. The caller has the turn.
func (s *shared) run(ctx context.Context) error {
	if s.alive(ctx) {
		return nil
	}
	if err := s.create(); err != nil {
		return err
	}
	// Sessions of a server that was killed may take a moment to notice, and no
	// other may have its data meanwhile.
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := s.launch(ctx)
		if err == nil || ctx.Err() != nil || time.Since(began) > startLimit || !strings.Contains(err.Error(), "pre-existing shared memory block") {
			return err
		}
	}
}

// launch starts the server.
func (s *shared) launch(ctx context.Context) error {
	log, err := os.Create(s.data + ".log")
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer log.Close()
	server := command(s.as, filepath.Join(s.bin.folder, "postgres"), append([]string{"-D", s.data}, serverArguments(s.socket)...)...)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL as %s: %w", s.as, err)
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }() // how it ends is read from its log
	gone := func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
	if err := awaitAnswer(ctx, s.socket, gone, log.Name()); err != nil {
		_ = server.Process.Signal(os.Interrupt) // nobody will use it
		return err
	}
	return nil
}

// alive says whether the server runs. One that a killed process has just
// started, or that recovers, gets the time to answer. A process id that
// belongs to something else by now gets little: there nobody listens.
func (s *shared) alive(ctx context.Context) bool {
	began := time.Now()
	for ctx.Err() == nil && processExists(s.pid()) {
		if answers(ctx, s.socket) {
			return true
		}
		patience := 5 * time.Second
		if listens(s.socket) {
			patience = startLimit
		}
		if time.Since(began) > patience {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// create makes the cluster, unless it is there. It comes into being under
// another name, since initdb may be killed half-way.
func (s *shared) create() error {
	if exists(filepath.Join(s.data, "PG_VERSION")) {
		return nil
	}
	leftovers, _ := filepath.Glob(s.data + ".new-*")
	for _, folder := range leftovers {
		_ = os.RemoveAll(folder) // it only takes room
	}
	folder, err := os.MkdirTemp(filepath.Dir(s.data), filepath.Base(s.data)+".new-*")
	if err != nil {
		return fmt.Errorf("create a PostgreSQL cluster: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := s.as.own(folder); err != nil {
		return fmt.Errorf("create a PostgreSQL cluster: %w", err)
	}
	initdb := command(s.as, filepath.Join(s.bin.folder, "initdb"), append([]string{"-D", folder}, strings.Fields(initdbOptions)...)...)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("create a PostgreSQL cluster as %s: %w; initdb says:\n%s", s.as, err, out)
	}
	if err := os.Rename(folder, s.data); err != nil {
		return fmt.Errorf("create a PostgreSQL cluster: %w; if nothing of worth is in it, remove %s", err, s.data)
	}
	return nil
}

// end stops the server and waits until it has. One that does not answer is
// not signalled, since its process id may be another program's by now.
func (s *shared) end(ctx context.Context) error {
	pid := s.pid()
	if pid == 0 || !answers(ctx, s.socket) {
		return nil
	}
	if err := interrupt(pid); err != nil {
		return fmt.Errorf("stop PostgreSQL, process %d: %w", pid, err)
	}
	for s.pid() == pid && processExists(pid) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL, process %d, does not stop; its log is %s.log", pid, s.data)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func (s *shared) pid() int { return pidIn(s.data) }

// pidIn is a server's process id by its own file; 0 when there is none. Its
// first line is the id, see src/include/utils/pidfile.h of PostgreSQL.
func pidIn(data string) int {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

// lockFile opens a file and waits for its lock. Closing it, or the end of the
// process, gives the lock back.
func lockFile(ctx context.Context, name string, how lockKind) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the shared PostgreSQL: %w", err)
	}
	for {
		switch locked, err := tryLock(f, how); {
		case locked:
			return f, nil
		case err != nil:
			return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s, which another process holds while it starts or stops the server: %w", name, context.Cause(ctx)), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
