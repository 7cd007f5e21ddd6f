package postgres_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/postgres"
)

// The listener takes connections and never says a word, as a host behind a
// broken network does.
func TestAHostThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	opened := make(chan error, 1)
	go func() {
		_, err := postgres.Open(context.Background(), "postgres://nobody@"+silent.Addr().String()+"/nothing", postgres.Options{Timeout: 50 * time.Millisecond})
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil {
			t.Error("it is taken for a database")
		}
	case <-time.After(20 * time.Second):
		t.Error("it is waited for without an end")
	}
}
