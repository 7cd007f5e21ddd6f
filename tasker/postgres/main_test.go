package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tasker-systems/tasker-go/tasker/postgres"
)

// Some tests need processes that can be killed. They run this test binary
// again, in one of these roles.
var roles = map[string]func(){
	"hold":    holdTasks,
	"migrate": migrateOnCommand,
}

const roleVariable = "TASKER_POSTGRES_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		role()
		os.Exit(0)
	}
	// The server that the tests share ends after them, be it of this machine or
	// in a container, to which a connection is held open.
	const docker = "github.com/ory/dockertest/v3/docker.(*Client).hijack.func"
	var shared []goleak.Option
	for _, of := range []string{
		"github.com/tasker-systems/tasker-go/tasker/pglocal.startTemporary.func1",
		"github.com/tasker-systems/tasker-go/tasker/taskertest.endWithProcess.func1",
		docker + "1", docker + "1.1", docker + "1.2",
	} {
		shared = append(shared, goleak.IgnoreAnyFunction(of))
	}
	goleak.VerifyTestMain(m, shared...)
}

// child starts a process in a role. It is killed when the test ends.
type child struct {
	*exec.Cmd
	t     *testing.T
	in    *bufio.Writer
	lines *bufio.Scanner
}

func startChild(t *testing.T, role, url, schema string) *child {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVariable+"="+role, "URL="+url, "SCHEMA="+schema)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return &child{Cmd: c, t: t, in: bufio.NewWriter(in), lines: bufio.NewScanner(out)}
}

func (c *child) say(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		c.t.Fatal(err)
	}
	if err := c.in.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// hear gives the next line that the child prints.
func (c *child) hear() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("the child process has ended: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// migrateOnCommand opens a store on each schema that it is told, and says how
// that went.
func migrateOnCommand() {
	for schemas := bufio.NewScanner(os.Stdin); schemas.Scan(); {
		store, err := postgres.Open(context.Background(), os.Getenv("URL")+"&pool_max_conns=1", postgres.Options{Schema: schemas.Text()})
		if err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		store.Close()
		fmt.Println("ok")
	}
}
