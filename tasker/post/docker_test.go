package post

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A container is named after the test, so that the one of whoever runs the
// tests stays as it is. Images are not fetched for this.
func TestTheContainerIsFoundAgainAndEndsWithItsLastUser(t *testing.T) {
	t.Parallel()
	image, name := containerImage(), "tasker-go-test-"+strings.ToLower(rand.Text()[:10])
	if _, err := docker(t.Context(), "image", "inspect", image); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _, _ = docker(context.Background(), "rm", "--force", "--volumes", name) })
	state := func() string {
		s, err := docker(t.Context(), "inspect", "--format={{.State.Status}}", name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	var both [2]*server
	var failures [2]error
	var all sync.WaitGroup
	for i := range both {
		all.Go(func() { both[i], failures[i] = startContainer(t.Context(), image, name, saying(t)) })
	}
	all.Wait()
	if err := errors.Join(failures[:]...); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), both[0].url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "create table kept ()"); err != nil {
		t.Fatal(err)
	}
	both[1].stop()
	if s := state(); s != "running" {
		t.Fatalf("one of two has stopped using the container, and it is %s", s)
	}
	pool.Close()
	both[0].stop()
	if s := state(); s != "exited" {
		t.Fatalf("nobody uses the container, and it is %s", s)
	}

	again, err := startContainer(t.Context(), image, name, saying(t))
	if err != nil {
		t.Fatal(err)
	}
	pool, err = pgxpool.New(t.Context(), again.url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "select from kept"); err != nil {
		t.Errorf("the data did not stay: %v", err)
	}
	pool.Close()
	again.stop()
}
