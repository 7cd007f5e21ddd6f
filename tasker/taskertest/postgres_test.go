package taskertest_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// otherProcess says what its PostgreSQL is and waits to be killed.
func otherProcess() {
	p := &probe{}
	p.try(func() { fmt.Println("url:", taskertest.PostgresURL(p)) })
	if text := p.text(); text != "" {
		fmt.Println("none:", text)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// startOther starts the test binary as another process and gives its first
// line.
func startOther(t *testing.T, environment ...string) (c *exec.Cmd, says string) {
	t.Helper()
	c = exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "TASKERTEST_TEST_PROCESS=1", "TASKER_TEST_DATABASE_URL=", "DATABASE_URL=")
	c.Env = append(c.Env, environment...)
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process says %q: %v", line, err)
	}
	return c, strings.TrimSpace(line)
}

func answers(t *testing.T, url string) bool {
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return false
	}
	defer c.Close(t.Context())
	return c.Ping(t.Context()) == nil
}

func endsWith(t *testing.T, c *exec.Cmd, url string) {
	t.Helper()
	if !answers(t, url) {
		t.Fatalf("nobody answers at %s", url)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	for end := time.Now().Add(30 * time.Second); answers(t, url); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server goes on 30 s after the process that started it was killed")
		}
	}
}

func TestAServerStartedForTestsIsGoneWithTheirProcess(t *testing.T) {
	t.Parallel()
	taskertest.PostgresURL(t) // or there is nothing to test
	c, says := startOther(t)
	url, ok := strings.CutPrefix(says, "url: ")
	if !ok {
		t.Fatal(says)
	}
	endsWith(t, c, url)
}

func TestDockerBringsAServerWhereAskedTo(t *testing.T) {
	t.Parallel()
	c, says := startOther(t, "TASKER_TEST_POSTGRES=docker")
	url, ok := strings.CutPrefix(says, "url: ")
	if !ok {
		t.Skip(says)
	}
	if !strings.HasPrefix(url, "postgres://tasker:") {
		t.Errorf("the server is at %s", url)
	}
	endsWith(t, c, url)
}

func TestAnURLInTheEnvironmentGoesFirst(t *testing.T) {
	t.Parallel()
	for want, environment := range map[string][]string{
		"url: postgres://one": {"TASKER_TEST_DATABASE_URL=postgres://one", "DATABASE_URL=postgres://two"},
		"url: postgres://two": {"DATABASE_URL=postgres://two"},
	} {
		if _, says := startOther(t, environment...); says != want {
			t.Errorf("with %v the other process says %q", environment, says)
		}
	}
}

func TestWithoutPostgreSQLOneLineSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	nowhere := []string{"TASKER_TEST_POSTGRES=docker", "DOCKER_HOST=unix:///nowhere", "TASKER_REQUIRE_POSTGRES=1"}
	_, says := startOther(t, nowhere...)
	if !strings.HasPrefix(says, "none: ") || !strings.Contains(says, "apt-get install postgresql") {
		t.Errorf("it says %q", says)
	}
}

func TestASchemaIsTheTestsOwnAndGoneWithIt(t *testing.T) {
	t.Parallel()
	url := taskertest.PostgresURL(t)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var names []string
	for range 2 {
		t.Run("With a long name, "+strings.Repeat("ä", 50)+`, and a "quote"`, func(t *testing.T) {
			name := taskertest.Schema(t)
			names = append(names, name)
			if _, err := c.Exec(t.Context(), "CREATE SCHEMA "+name+" CREATE TABLE kept (id int)"); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range names {
		if !regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`).MatchString(name) {
			t.Errorf("the name is %q", name)
		}
		var left int
		if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname = $1", name).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d schemas %s are left (%v)", left, name, err)
		}
	}
	if names[0] == names[1] {
		t.Errorf("two tests got the same schema, %s", names[0])
	}
}
