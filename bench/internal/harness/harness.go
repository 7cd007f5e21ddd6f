// Package harness runs one workload on one system and prints one JSON line.
//
// A system under test implements [Peer]. [Run] does, in one process:
//
//  1. submit N tasks while no worker runs (systems that cannot hold a backlog start at once),
//  2. start the worker and wait until the last of the N tasks is durably complete,
//  3. let the peer check what was stored, if it can,
//  4. submit tasks one by one on the idle system and time each until it is known to be complete.
package harness

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"
	"time"
)

// Handle waits for one submitted task.
type Handle interface {
	Wait(ctx context.Context) error
}

// HandleFunc makes a Handle of a function.
type HandleFunc func(ctx context.Context) error

// Wait implements Handle.
func (f HandleFunc) Wait(ctx context.Context) error { return f(ctx) }

// Config is the command line.
type Config struct {
	Variant   string
	Workload  string
	N         int
	Conc      int
	Pool      int
	Submitter int
	LatRuns   int
	Round     int
	DSN       string // of the database made for this run; empty without PostgreSQL
	Addr      string
	Dir       string
	SubmitB   int
	Note      string
}

// Peer is one system under test.
type Peer interface {
	// Setup prepares schema and clients, with no worker running.
	Setup(ctx context.Context, c *Config) error
	// SubmitAll durably submits tasks 0..n-1 using c.Submitter goroutines or its own bulk call.
	SubmitAll(ctx context.Context, n int) error
	// StartWorker lets work begin.
	StartWorker(ctx context.Context) error
	// WaitAll returns when all n tasks are durably complete.
	WaitAll(ctx context.Context, n int) error
	// SubmitOne submits one task for the latency phase.
	SubmitOne(ctx context.Context, id int) (Handle, error)
	// Version names the peer's module version, read from the build.
	Version() string
	Stop(ctx context.Context)
}

// Verifier is a Peer that can look at what was stored, by other means than it was counted with.
type Verifier interface {
	// Verify fails unless each step of tasks 0..n-1 is stored as completed exactly once, each task
	// as complete, and each final result is right.
	Verify(ctx context.Context, n int) error
}

// Storage is where a system keeps what it must not lose. Only like is compared with like.
type Storage string

// The kinds of storage.
const (
	Postgres Storage = "postgres" // Run makes a fresh database
	Disk     Storage = "disk"     // files of its own
	Memory   Storage = "memory"   // nothing outlives the process
)

// Result is the JSON line.
type Result struct {
	Peer, Variant, Workload, Version string
	Stored                           Storage
	Round, N, Conc, Pool, Cores      int
	SubmitPerSec, StepsPerSec        float64
	E2EStepsPerSec                   float64
	DrainSec, SubmitSec              float64
	P50ms, P90ms, P99ms              float64
	LastStepP50ms                    float64
	PeakRSSMiB                       float64
	CPUusPerStep                     float64 // user+system time of the worker process
	ServerCPUusPerStep               float64 // the same of the server's process tree (BENCH_SERVER_PID)
	ServerRSSMiB                     float64 `json:",omitempty"`
	WriteXactPerStep, XactPerStep    float64
	WALBytesPerStep                  float64
	Verified                         bool
	Load                             float64   // of the machine when the run began
	Lat                              []float64 `json:",omitempty"` // milliseconds, sorted
	Note                             string    `json:",omitempty"`
}

var lastStep atomic.Int64 // unix ns of the last step function run

// Ending is true once the harness ends the database sessions under a peer.
var Ending atomic.Bool

// Ran is to be called by the step functions of a worker.
func Ran() { lastStep.Store(time.Now().UnixNano()) }

// Flags parses the command line.
func Flags() *Config {
	c := &Config{}
	flag.StringVar(&c.Variant, "variant", "", "variant of the peer")
	flag.StringVar(&c.Workload, "workload", "L5", "L5 or D8")
	flag.IntVar(&c.N, "n", 2000, "tasks")
	flag.IntVar(&c.Conc, "conc", 64, "worker concurrency")
	flag.IntVar(&c.Pool, "pool", 16, "database connections")
	flag.IntVar(&c.Submitter, "submitters", 16, "goroutines that submit")
	flag.IntVar(&c.LatRuns, "lat", 200, "runs of the latency phase")
	flag.IntVar(&c.Round, "round", 1, "round number, for the report")
	flag.StringVar(&c.Addr, "addr", "127.0.0.1:7233", "server address, for peers with one")
	flag.StringVar(&c.Dir, "dir", os.TempDir(), "folder for files")
	flag.StringVar(&c.Note, "note", "", "text added to the variant in the report")
	flag.IntVar(&c.SubmitB, "submitbatch", 1, "tasks in one submit call where the peer can")
	flag.Parse()
	return c
}

// Run measures and prints. It does not return.
func Run(name string, c *Config, p Peer, stored Storage) {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	must := func(what string, err error) {
		if err != nil {
			log.Fatalf("%s %s: %s: %v", name, c.Variant, what, err)
		}
	}
	if stored == Postgres {
		dsn, err := FreshDB(ctx, "bench_"+strings.ReplaceAll(name, "-", "_"))
		must("database", err)
		c.DSN = dsn
	}
	must("setup", p.Setup(ctx, c))
	r := Result{
		Peer: name, Variant: c.Variant, Workload: c.Workload, Version: p.Version(), Stored: stored,
		Round: c.Round, N: c.N, Conc: c.Conc, Pool: c.Pool, Cores: runtime.NumCPU(), Note: c.Note, Load: loadAverage(),
	}
	steps := float64(c.N * Steps(c.Workload))

	a := stat(ctx, c.DSN)
	cpu0, srv0 := cpu(), serverCPU()
	t0 := time.Now()
	must("submit", p.SubmitAll(ctx, c.N))
	t1 := time.Now()
	must("worker", p.StartWorker(ctx))
	must("wait", p.WaitAll(ctx, c.N))
	t2 := time.Now()
	b := stat(ctx, c.DSN)
	r.CPUusPerStep = float64((cpu() - cpu0).Microseconds()) / steps
	r.ServerCPUusPerStep = float64((serverCPU() - srv0).Microseconds()) / steps
	if stored != Postgres {
		r.ServerRSSMiB = PeakRSS(os.Getenv("BENCH_SERVER_PID"))
	}
	r.SubmitSec, r.DrainSec = t1.Sub(t0).Seconds(), t2.Sub(t1).Seconds()
	r.SubmitPerSec = float64(c.N) / r.SubmitSec
	r.StepsPerSec = steps / r.DrainSec
	r.E2EStepsPerSec = steps / t2.Sub(t0).Seconds()
	r.PeakRSSMiB = PeakRSS("self")
	if v, ok := p.(Verifier); ok {
		must("verify", v.Verify(ctx, c.N))
		r.Verified = true
	}
	if stored == Postgres {
		r.WriteXactPerStep = float64(b.xid-a.xid) / steps
		if c.LatRuns == 0 { // only backends that exit report all their counters at once
			r.XactPerStep = float64(endAll(ctx, c.DSN)-a.xacts) / steps
		}
		r.WALBytesPerStep = (b.lsn - a.lsn) / steps
	}
	runtime.GC()
	time.Sleep(300 * time.Millisecond)
	var lat, last []float64
	warm := min(c.LatRuns, 10)
	for i := range c.LatRuns + warm {
		s := time.Now()
		h, err := p.SubmitOne(ctx, c.N+i)
		must("submit one", err)
		must("wait one", h.Wait(ctx))
		d := time.Since(s)
		if i >= warm {
			lat = append(lat, float64(d.Microseconds())/1000)
			last = append(last, float64(lastStep.Load()-s.UnixNano())/1e6)
		}
		time.Sleep(2 * time.Millisecond)
	}
	sort.Float64s(lat)
	sort.Float64s(last)
	r.P50ms, r.P90ms, r.P99ms, r.LastStepP50ms = Pct(lat, .5), Pct(lat, .9), Pct(lat, .99), Pct(last, .5)
	r.Lat = lat
	out, err := json.Marshal(r)
	must("result", err)
	fmt.Println(string(out))
	done := make(chan struct{})
	go func() { p.Stop(ctx); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
	}
	os.Exit(0)
}
