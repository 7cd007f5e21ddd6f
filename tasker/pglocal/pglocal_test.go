package pglocal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The test binary is also the other processes that the tests are about: it
// opens a server, says where, and does with it what standard input asks for.
func TestMain(m *testing.M) {
	if os.Getenv("PGLOCAL_TEST_OPEN") != "" {
		if err := otherProcess(); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func otherProcess() error {
	open := Temporary
	if folder := os.Getenv("PGLOCAL_TEST_OPEN"); folder != "temporary" {
		open = func(ctx context.Context) (*Server, error) { return Shared(ctx, folder) }
	}
	server, err := open(context.Background())
	if err != nil {
		return err
	}
	fmt.Println(server.URL())
	order, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if order == "stop\n" {
		return server.Stop()
	}
	return nil
}

// process is another process that has opened a server.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string
}

func startProcess(t *testing.T, open string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), "PGLOCAL_TEST_OPEN="+open)
	p.cmd.Stderr = os.Stderr
	stdin, err1 := p.cmd.StdinPipe()
	stdout, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, p.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if p.url = strings.TrimSpace(line); err != nil || !strings.HasPrefix(p.url, "postgres://") {
		t.Fatalf("the other process says %q (%v)", line, err)
	}
	return p
}

func (p *process) stop() {
	p.t.Helper()
	_, _ = io.WriteString(p.stdin, "stop\n")
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("the other process: %v", err)
	}
}

func (p *process) kill() {
	p.t.Helper()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it says that it was killed
}

// needServer skips the test where there is no server to run.
func needServer(t *testing.T) {
	t.Helper()
	_, err := find(t.Context())
	switch {
	case err == nil:
	case os.Getenv("TASKER_REQUIRE_POSTGRES") == "1":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// newFolder is a folder for a shared server that root's server can reach too.
// What still runs there at the end of the test is stopped.
func newFolder(t *testing.T) string {
	t.Helper()
	needServer(t)
	folder, err := os.MkdirTemp("/tmp", "pglocal-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s, err := Shared(context.Background(), folder); err != nil {
			t.Error(err)
		} else if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func mustShare(t *testing.T, folder string) *Server {
	t.Helper()
	s, err := Shared(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask runs one query and gives its one value.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	rows, _ := c.Query(t.Context(), query, pgx.QueryExecModeSimpleProtocol) // the error comes with the rows
	values, err := pgx.CollectRows(rows, pgx.RowTo[any])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprint(values[0])
}

func folderOf(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Host
}

func runs(t *testing.T, url string) bool { return answers(t.Context(), folderOf(t, url)) }

// eventually waits for what the system does after a process has ended.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 s it is still not so that %s", what)
		}
	}
}

func TestATemporaryServerWorksAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	needServer(t)
	server, err := Temporary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	folder := folderOf(t, server.URL())
	ask(t, server.URL(), "CREATE TABLE kept AS SELECT 41 + 1 AS answer")
	if got := ask(t, server.URL(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("the answer is %s", got)
	}
	for setting, want := range map[string]string{"listen_addresses": "", "fsync": "off", "server_encoding": "UTF8"} {
		if got := ask(t, server.URL(), "SHOW "+setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	pid := pidIn(filepath.Join(folder, "data"))
	for range 2 { // the second Stop has nothing to do
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if exists(folder) {
		t.Errorf("after Stop, %s is still there", folder)
	}
	eventually(t, "the server is gone", func() bool { return !processExists(pid) })
}

func TestATemporaryServerIsGoneWithAProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	needServer(t)
	p := startProcess(t, "temporary")
	folder := folderOf(t, p.url)
	pid := pidIn(filepath.Join(folder, "data"))
	p.kill()
	eventually(t, "the server's folder is gone", func() bool { return !exists(folder) })
	eventually(t, "the server is gone", func() bool { return !processExists(pid) })
}

func TestProcessesShareOneServerWhichTheLastOneStops(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	here := mustShare(t, folder)
	there := startProcess(t, folder)
	if here.URL() != there.url {
		t.Fatalf("one server is at %s, the other at %s", here.URL(), there.url)
	}
	ask(t, here.URL(), "CREATE TABLE kept AS SELECT 'since before' AS since")
	there.stop()
	if !runs(t, here.URL()) {
		t.Fatal("the other process has stopped the server that we use")
	}
	if err := here.Stop(); err != nil {
		t.Fatal(err)
	}
	if runs(t, here.URL()) {
		t.Error("the server still runs after the last one has stopped it")
	}
	again := mustShare(t, folder)
	defer again.Stop()
	if got := ask(t, again.URL(), "SELECT since FROM kept"); got != "since before" {
		t.Errorf("after a restart the table has %q", got)
	}
	if got := ask(t, again.URL(), "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %s, so what was kept could be lost", got)
	}
}

func TestManyProcessesMayStartAndStopTheServerAtOnce(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			for range 2 {
				c := exec.Command(os.Args[0])
				c.Env, c.Stdin = append(os.Environ(), "PGLOCAL_TEST_OPEN="+folder), strings.NewReader("stop\n")
				if out, err := c.CombinedOutput(); err != nil {
					done <- fmt.Errorf("%w: %s", err, out)
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if files, _ := filepath.Glob(folder + "/postgres-*/postmaster.pid"); len(files) > 0 {
		t.Errorf("all have stopped it and it still runs: %v", files)
	}
}

func TestAServerLeftByAKilledProcessIsFoundAgain(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	p := startProcess(t, folder)
	pid := pidIn(folderOf(t, p.url))
	p.kill()
	if !runs(t, p.url) {
		t.Fatal("the server ended with the process")
	}
	found := mustShare(t, folder)
	if now := pidIn(folderOf(t, found.URL())); found.URL() != p.url || now != pid {
		t.Errorf("another server was started: process %d at %s, the first was %d at %s", now, found.URL(), pid, p.url)
	}
	if err := found.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server that was found is stopped", func() bool { return !processExists(pid) })
}

func TestAServerThatDiedHardIsStartedAgainWithItsData(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	first := mustShare(t, folder)
	ask(t, first.URL(), "CREATE TABLE kept AS SELECT 42 AS answer")
	busy, err := pgx.Connect(t.Context(), first.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close(t.Context())
	computed := make(chan struct{})
	go func() { // a session that computes does not notice for a while
		defer close(computed)
		_, _ = busy.Exec(t.Context(), "SELECT count(*) FROM generate_series(1, 10000000)")
	}()
	eventually(t, "the session computes", func() bool {
		return ask(t, first.URL(), "SELECT count(*)::text FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%' AND pid <> pg_backend_pid()") == "1"
	})
	postmaster, err := os.FindProcess(pidIn(folderOf(t, first.URL())))
	if err != nil {
		t.Fatal(err)
	}
	if err := postmaster.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed server is gone", func() bool { return !runs(t, first.URL()) })
	second := mustShare(t, folder)
	if got := ask(t, second.URL(), "SELECT answer FROM kept"); got != "42" {
		t.Errorf("the answer is %s", got)
	}
	<-computed
	if err := errors.Join(second.Stop(), first.Stop()); err != nil {
		t.Error(err)
	}
}

func TestAPathTooLongForASocketIsNoObstacle(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	long := filepath.Join(folder, strings.Repeat("long", 25))
	s := mustShare(t, long)
	if got := ask(t, s.URL(), "SELECT 1"); got != "1" {
		t.Errorf("one is %s", got)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(folderOf(t, s.URL())); err != nil {
		t.Error(err)
	}
}

func TestRootsServerRunsAsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("this is about root, and we are not")
	}
	needServer(t)
	server, err := Temporary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	if data := filepath.Join(folderOf(t, server.URL()), "data"); as == nil || !as.owns(data) {
		t.Errorf("%s does not belong to %s", data, as)
	}
}

func TestTwoUsesInOneProcessCountAsTwo(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	first, second := mustShare(t, folder), mustShare(t, folder)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if !runs(t, second.URL()) {
		t.Error("the first Stop has taken the server from the second")
	}
	if err := second.Stop(); err != nil || runs(t, second.URL()) {
		t.Errorf("after the second Stop it still runs (%v)", err)
	}
}

func TestAStartThatFailsShowsTheServersLog(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	s := mustShare(t, folder)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(folderOf(t, s.URL()), "postgresql.auto.conf")
	if err := os.WriteFile(broken, []byte("max_connections = many\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := Shared(t.Context(), folder)
	if err == nil || !strings.Contains(err.Error(), "max_connections") || time.Since(began) > 10*time.Second {
		t.Errorf("after %v the error is %v", time.Since(began), err)
	}
	if err := os.WriteFile(broken, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
