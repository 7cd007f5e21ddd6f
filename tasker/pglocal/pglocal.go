// Package pglocal runs a PostgreSQL from the server binaries of this machine,
// so that trying the durable store needs nothing set up.
//
// [Temporary] makes a server for tests: it is fast rather than safe, and it is
// gone with the process that asked for it, however that ends. [Shared] gives
// the one server of a user: its data stays, processes use it together, and the
// last one to stop it ends it.
//
// Both listen on a Unix socket only, which no other user may open.
// PostgreSQL refuses to run as root, so for root it runs as the user postgres,
// or else as nobody.
package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrNoServer is behind the error when this machine has no PostgreSQL server
// that could be run.
var ErrNoServer = errors.New("no PostgreSQL server is installed")

// Server is a PostgreSQL that runs, and that this process uses.
type Server struct {
	url  string
	stop func() error
}

// URL is where the server is, in the form that pgx and psql take.
func (s *Server) URL() string { return s.url }

// Stop ends the server, or the use of a shared one that others still need. It
// may be called more than once. Who never calls it leaves a shared server
// running.
func (s *Server) Stop() error { return s.stop() }

// startLimit is how long a server may take to answer. Recovery after a power
// cut is what takes long.
const startLimit = time.Minute

// Temporary starts an empty server that is removed again by Stop, or when the
// process ends: a shell between us and the server watches a pipe, which the
// kernel closes even for a process that is killed. ctx bounds the start.
func Temporary(ctx context.Context) (*Server, error) {
	bin, err := find(ctx)
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	folder, err := temporaryFolder(as)
	if err != nil {
		return nil, err
	}
	server, err := startTemporary(ctx, bin, folder, as)
	if err != nil {
		_ = os.RemoveAll(folder) // the first error is the one to tell
		return nil, err
	}
	return server, nil
}

func startTemporary(ctx context.Context, bin binaries, folder string, as *account) (*Server, error) {
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, fmt.Errorf("start a temporary PostgreSQL: %w", err)
	}
	defer log.Close()
	// What these promise is safety from a crash of the machine, which a server
	// that is thrown away does not need.
	arguments := append(serverArguments(folder), "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	watch := command(as, "/bin/sh", append([]string{"-c", watchScript, "pglocal", bin.folder, folder}, arguments...)...)
	watch.Stdout, watch.Stderr = log, log
	pipe, err := watch.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a temporary PostgreSQL: %w", err)
	}
	if err := watch.Start(); err != nil {
		return nil, fmt.Errorf("start a temporary PostgreSQL as %s: %w", as, err)
	}
	ended := make(chan struct{})
	go func() { _ = watch.Wait(); close(ended) }() // how it ends is read from its log
	stop := sync.OnceValue(func() error {
		_ = pipe.Close()
		select {
		case <-ended:
			return os.RemoveAll(folder)
		case <-time.After(startLimit):
			return fmt.Errorf("the temporary PostgreSQL in %s does not stop; end it with: kill -QUIT $(head -n 1 %s/data/postmaster.pid)", folder, folder)
		}
	})
	gone := func() bool {
		select {
		case <-ended:
			return true
		default:
			return exists(filepath.Join(folder, "ended"))
		}
	}
	if err := awaitAnswer(ctx, folder, gone, log.Name()); err != nil {
		return nil, errors.Join(err, stop())
	}
	return &Server{url: urlOf(folder), stop: stop}, nil
}

// watchScript makes a cluster, runs its server and waits for the end of
// standard input, which is the end of the process that asked for it. Then it
// removes both. It is in a session of its own, so Ctrl-C does not reach it.
const watchScript = `
bin=$1 folder=$2
shift 2
"$bin/initdb" -D "$folder/data" ` + initdbOptions + ` --no-sync || exit 1
{ "$bin/postgres" -D "$folder/data" "$@" </dev/null; : >"$folder/ended"; } &
cat >/dev/null
until [ -e "$folder/ended" ]; do
	kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")" 2>/dev/null
	sleep 0.02
done
rm -rf "$folder"
`

// The socket is out of reach for others, so no password is asked for.
const initdbOptions = "--username=postgres --auth=trust --encoding=UTF8 --locale=C --no-instructions"

// serverArguments are what every server here is started with. socket is the
// folder of its socket.
func serverArguments(socket string) []string {
	return []string{
		"-c", "listen_addresses=", "-c", "port=5432", "-c", "unix_socket_directories=" + socket, "-c", "unix_socket_permissions=0700",
		"-c", "max_connections=200", "-c", "shared_buffers=128MB",
	}
}

// urlOf names everything that the PG… variables of the environment could
// otherwise change.
func urlOf(socket string) string {
	query := url.Values{"host": {socket}, "port": {"5432"}, "sslmode": {"disable"}}
	return "postgres://postgres@/postgres?" + query.Encode()
}

// command runs as the server's user, in a session of its own and without what
// would redirect it.
func command(as *account, name string, arguments ...string) *exec.Cmd {
	c := exec.Command(name, arguments...)
	c.Dir = "/" // ours may be out of reach for that user
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PG") && !strings.HasPrefix(variable, "LC_") {
			c.Env = append(c.Env, variable)
		}
	}
	c.Env = append(c.Env, "LC_ALL=C")
	c.SysProcAttr = as.attributes()
	return c
}

// awaitAnswer waits until the server answers at its socket. gone says that it
// has ended; then its log says why.
func awaitAnswer(ctx context.Context, socket string, gone func() bool, log string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if answers(ctx, socket) {
			return nil
		}
		if gone() {
			return fmt.Errorf("PostgreSQL did not start in %s; its log ends with:\n%s", socket, tail(log))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL in %s does not answer (%w); its log ends with:\n%s", socket, context.Cause(ctx), tail(log))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// answers says whether a server takes connections at the socket. It sends
// the first message of the protocol and looks at the first of the reply, see
// https://www.postgresql.org/docs/current/protocol-flow.html.
func answers(ctx context.Context, socket string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(socket, socketName))
	if err != nil {
		return false
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	const startup = "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
	if _, err := c.Write(append([]byte{0, 0, 0, byte(4 + len(startup))}, startup...)); err != nil {
		return false
	}
	reply := make([]byte, 512)
	n, err := io.ReadAtLeast(c, reply, 1)
	if err != nil {
		return false
	}
	// 57P03 is "starting up" or "shutting down". Any other refusal, such as
	// too many clients, comes from a server that works.
	starting := strings.Contains(string(reply[:n]), "57P03")
	return reply[0] == 'R' || reply[0] == 'E' && !starting
}

const socketName = ".s.PGSQL.5432"

// tail is the end of a log, for an error.
func tail(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}
