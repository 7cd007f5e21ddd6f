package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func TestMain(m *testing.M) { posttest.Main(m, main) }

// reader runs the post as its reader does.
var reader = posttest.Runner[noted]{Post: thisPost}

type outcome = posttest.Outcome[noted]

// noted is what the tests read of the report's notes.
type noted struct {
	Charged  money.Amount     `json:"charged"`
	Refunded money.Amount     `json:"refunded"`
	Stock    map[string]int64 `json:"stock"`
	Orders   int              `json:"orders"`
	Mails    int              `json:"mails"`
	Journal  struct {
		Events []string     `json:"events"`
		Earned money.Amount `json:"earned"`
		Lost   money.Amount `json:"lost"`
	} `json:"journal"`
	Spans   int                       `json:"spans"`
	Alerts  []string                  `json:"alerts"`
	Events  map[string]map[string]int `json:"events"`
	Metrics map[string]float64        `json:"metrics"`
}

var stepNames = []string{"validate_cart", "process_payment", "update_inventory", "create_order", "send_confirmation"}

// with is the example with other fields; one that is null is left out.
func with(t testing.TB, fields string) string {
	t.Helper()
	var input, other map[string]any
	for raw, into := range map[string]*map[string]any{string(example): &input, fields: &other} {
		if err := json.Unmarshal([]byte(raw), into); err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
	}
	for name, value := range other {
		if input[name] = value; value == nil {
			delete(input, name)
		}
	}
	raw, _ := json.Marshal(input)
	return string(raw)
}

// customer is the example for a customer of a test's own, so that runs on one
// database tell each other's tasks apart.
func customer(t testing.TB, id string) string { return with(t, fmt.Sprintf(`{"customer_id": %q}`, id)) }

// onceOnly checks that a checkout left behind what one does.
func onceOnly(t *testing.T, o outcome) {
	t.Helper()
	if o.Exit != 0 || len(o.Tasks) != 1 {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	for _, s := range o.Tasks[0].Steps {
		if s.State != "complete" || s.Error != nil {
			t.Errorf("%s is %s, with error %v", s.Name, s.State, s.Error)
		}
	}
	if n := o.Notes; n.Charged != 12997 || n.Refunded != 0 || n.Orders != 1 || n.Mails != 1 || n.Stock["WIDGET-001"] != 48 || n.Stock["GADGET-002"] != 29 {
		t.Errorf("what is left behind: %+v", n)
	}
	if j := o.Notes.Journal; j.Earned != 12997 || j.Lost != 0 || strings.Join(j.Events, " ") != "payment.processed order.created checkout.completed" {
		t.Errorf("the journal holds %+v", j)
	}
}

// watchedShop is the shop on an engine of a test, with all that watches it.
type watchedShop struct {
	*Telemetry
	*tasker.Engine
	t       *testing.T
	shop    *Shop
	journal *Journal
}

// open makes one in the bubble of synctest, in production unless edit changes
// the template. change may change the engine's configuration.
func open(t *testing.T, trouble incident, edit func(string) string, change ...func(*tasker.Config)) *watchedShop {
	t.Helper()
	source, err := templates.ReadFile("templates/monitored_checkout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := template.Parse("monitored_checkout.yaml", []byte(edit(string(source))))
	if err != nil {
		t.Fatal(err)
	}
	told, err := newTelemetry(checkout, "")
	if err != nil {
		t.Fatal(err)
	}
	world := post.NewWorld()
	w := &watchedShop{Telemetry: told, t: t, shop: newShop(world, trouble), journal: newJournal(world, told.Business, "")}
	config := tasker.Config{
		Store: memory.New(), Templates: []*template.Template{checkout}, Handlers: w.shop.Handlers(),
		Environment: "production", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, c := range change {
		c(&config)
	}
	if err := told.wire(&config); err != nil {
		t.Fatal(err)
	}
	if w.Engine, err = tasker.New(config); err != nil {
		t.Fatal(err)
	}
	if err := told.watchIdle("ecommerce", w.Engine); err != nil {
		t.Fatal(err)
	}
	stop, err := told.listen(w.Engine, w.journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what hangs is not waited for
		_ = w.Stop(ctx)
		stop()
	})
	return w
}

func asItIs(text string) string { return text }

func (w *watchedShop) submit(input string) tasker.ID {
	w.t.Helper()
	made, err := w.Submit(w.t.Context(), tasker.Request{Namespace: "ecommerce", Name: "monitored_checkout", Context: json.RawMessage(input)})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ID
}

// checkOut runs a checkout to its end, and lets everybody hear of it.
func (w *watchedShop) checkOut(input string) *tasker.Task {
	w.t.Helper()
	task, err := w.Wait(w.t.Context(), w.submit(input))
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal.catchUp([]*tasker.Task{task})
	return task
}

// spansOf gives the spans of a task with this name, of this step where it is
// not "".
func (w *watchedShop) spansOf(task *tasker.Task, name, step string) (found []sdktrace.ReadOnlySpan) {
	for _, s := range w.Spans.Trace(task.ID.String()) {
		if s.Name() == name && (step == "" || text(s, "tasker.step.name") == step) {
			found = append(found, s)
		}
	}
	return found
}

// holds wants samples of the scrape to be so, 0 for those that are not there.
func (w *watchedShop) holds(want map[string]float64) {
	w.t.Helper()
	all := samples(w.scraped("tasker_", "checkout_"))
	for series, value := range want {
		if all[series] != value {
			w.t.Errorf("%s is %v, want %v", series, all[series], value)
		}
	}
}

func attr(s sdktrace.ReadOnlySpan, name string) string { return text(s, attribute.Key(name)) }
