// Package storetest is the contract of a store as a test. [Run] holds a store
// to every promise of [tasker.Store]; a store that passes can stand under the
// engine.
//
// Each file is a chapter:
//
//	append.go      a record is stored whole, once, at its position
//	children.go    new tasks that a record brings
//	finish.go      the end of a task
//	claim.go       who owns a task
//	lease.go       workers live, die and are taken over from
//	release.go     tasks that wait for a time
//	poke.go        wake-ups are never lost
//	steer.go       operators change what goes on
//	await.go       tasks that wait for others
//	share.go       limits on what is owned at once
//	retain.go      what ended long ago
//	candidates.go  who is offered what
//	submit.go      new tasks, and those that are there already
//	templates.go   the texts that tasks begin with
//	records.go     what comes back is what was stored
//	list.go        lists of tasks
//	hints.go       hints, and contexts that have ended
//	transact.go    transactions, where a store has them
//	limits.go      sizes and identities through an engine
//	poison.go      payloads and texts that databases choke on, through an engine
//
// world.go has the words that the cases are written in. No case trusts the
// store's clock to be ours, and none asks for a hint that may be lost.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// promise is one sentence of the contract and the case that would catch a
// store which breaks it.
type promise struct {
	name string
	keep func(w *world)
}

// chapter is the promises about one thing.
type chapter struct {
	name     string
	promises []promise
}

var chapters = []chapter{
	appending, bearing, finishing, claiming, leases, releasing, poking, steering, awaiting, sharing, publishing, offering, submitting,
	templating, recording, listing, retaining, hinting, transacting, limiting, poisoning,
}

var runs atomic.Int64

// Run holds a store to its contract. open gives a fresh, empty store that
// belongs to the test it is called with, and closes it in a cleanup of that
// test. What it starts for longer, such as a server that tests share, is to be
// there before Run: a goroutine that begins in a case and goes on after the
// suite fails it. All cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) tasker.Store) {
	t.Helper()
	run := fmt.Sprintf("storetest-%d", runs.Add(1))
	t.Cleanup(func() { leavesNoGoroutine(t, run) }) // called once the last case has ended
	for _, c := range chapters {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, p := range c.promises {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					// Goroutines inherit the label, so the run's own can be told from others.
					pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("run", run)))
					p.keep(newWorld(t, open(t)))
				})
			}
		})
	}
}

// leavesNoGoroutine fails when a goroutine that began in a case goes on after
// the suite.
func leavesNoGoroutine(t *testing.T, run string) {
	var left string
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		var all bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
			t.Error(err)
			return
		}
		left = ""
		for _, one := range strings.Split(all.String(), "\n\n") {
			if strings.Contains(one, fmt.Sprintf("%q", run)) {
				left += one + "\n\n"
			}
		}
		if left == "" {
			return
		}
	}
	t.Errorf("the suite leaves goroutines behind:\n%s", left)
}
