package taskertest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// TestMain makes the test binary also the process that other tests kill.
func TestMain(m *testing.M) {
	if os.Getenv("TASKERTEST_TEST_PROCESS") != "" {
		otherProcess()
	}
	os.Exit(m.Run())
}

// The workflow of these tests: an order is charged, shipped and confirmed.
const order = `
namespace_name: shop
name: order
version: 1.0.0
steps:
  - {name: charge, handler: {callable: charge}, retry: {limit: 3, backoff_base_ms: 20}}
  - {name: ship, handler: {callable: ship}, dependencies: [charge], timeout_seconds: 5, retry: {limit: 3, backoff_base_ms: 20}}
  - {name: confirm, handler: {callable: confirm}, dependencies: [ship]}
`

func templates(t testing.TB) []*template.Template {
	t.Helper()
	parsed, err := template.Parse("order.yaml", []byte(order))
	if err != nil {
		t.Fatal(err)
	}
	return []*template.Template{parsed}
}

type receipt struct {
	Cents int `json:"cents"`
}

// ledger is what the handlers act upon. It holds one charge for each key.
type ledger struct {
	mu      sync.Mutex
	calls   int
	charges map[string]int
}

func newLedger() *ledger { return &ledger{charges: map[string]int{}} }

func (l *ledger) count() (calls, charges int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls, len(l.charges)
}

func (l *ledger) handlers() tasker.Handlers {
	type chargeInput struct {
		Cents int `context:"cents"`
	}
	nothing := tasker.Step(func(context.Context, struct{}) (any, error) { return nil, nil })
	return tasker.Handlers{
		"charge": tasker.Step(func(ctx context.Context, in chargeInput) (receipt, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.calls++
			l.charges[tasker.Key(ctx)] = in.Cents
			return receipt(in), nil
		}),
		"ship": nothing, "confirm": nothing,
	}
}

var input = map[string]any{"cents": 1250}

// probe stands in for a test that is about to fail, and keeps what it says.
type probe struct {
	testing.TB
	mu    sync.Mutex
	said  []string
	ended bool
}

func (p *probe) note(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, s)
}

func (p *probe) Helper()                      {}
func (p *probe) Skip(args ...any)             { p.Fatal(args...) }
func (p *probe) Error(args ...any)            { p.note(fmt.Sprint(args...)) }
func (p *probe) Errorf(f string, args ...any) { p.note(fmt.Sprintf(f, args...)) }
func (p *probe) Fatalf(f string, args ...any) { p.note(fmt.Sprintf(f, args...)); p.end() }
func (p *probe) Fatal(args ...any)            { p.note(fmt.Sprint(args...)); p.end() }
func (p *probe) Output() io.Writer            { return io.Discard }

func (p *probe) end() {
	p.ended = true
	runtime.Goexit()
}

// text is all that was said.
func (p *probe) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

// try runs what may end the probe.
func (p *probe) try(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	<-done
}

// exampleT is the stand-in for a *testing.T in an example.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func newExampleT() *exampleT { return &exampleT{} }

func (t *exampleT) Helper()                   {}
func (t *exampleT) Context() context.Context  { return context.Background() }
func (t *exampleT) Output() io.Writer         { return io.Discard }
func (t *exampleT) Cleanup(f func())          { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Error(args ...any)         { fmt.Println(args...) }
func (t *exampleT) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (t *exampleT) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func (t *exampleT) finish() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
