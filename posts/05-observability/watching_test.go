package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// 7.8, 5
func TestEachEventIsPublishedByExactlyTheOutcomesThatItsConditionSays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		outcome  string
		incident string
		want     map[string]int // events that were published, by name
	}{
		{"success", "none", map[string]int{
			"payment.processed": 1, "payment.attempted": 1, "order.created": 1, "checkout.completed": 1}},
		{"a retryable failure, then success", "hang-once", map[string]int{
			"payment.processed": 1, "payment.attempted": 1, "inventory.update_failed": 1, "inventory.retrying": 1, "order.created": 1, "checkout.completed": 1}},
		{"retryable failures until the end", "pool", map[string]int{
			"payment.processed": 1, "payment.attempted": 1, "inventory.update_failed": 2, "inventory.retrying": 1, "checkout.failed": 1}},
		{"a permanent failure", "declined", map[string]int{
			"payment.attempted": 1, "payment.declined": 1, "checkout.failed": 1}},
		{"a gateway that comes back", "gateway", map[string]int{
			"payment.attempted": 3, "payment.processed": 1, "order.created": 1, "checkout.completed": 1}},
	} {
		t.Run(tt.outcome, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := open(t, incidents[tt.incident], asItIs)
				w.checkOut(string(example))
				synctest.Wait()
				got := map[string]int{}
				for name, outcomes := range w.Events.All() {
					got[name] = outcomes[tasker.EventPublished]
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("what was published (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// ear takes down what it hears.
type ear struct {
	mu       sync.Mutex
	heard    []string // names
	payloads []string
}

func (e *ear) hear(_ context.Context, event tasker.DomainEvent) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard, e.payloads = append(e.heard, event.Name), append(e.payloads, string(event.Payload))
	return nil
}

// 7.8, 6. That a durable event of a record which was not stored is not
// stored either, is the stores' own promise, kept by their suite.
func TestFastEventsReachSubscribersDurableOnesConsumersAndBroadcastOnesBoth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["none"], asItIs)
		subscriber := &ear{}
		if _, err := w.Subscribe(tasker.Subscription{Name: "ear", Pattern: "*", Handle: subscriber.hear}); err != nil {
			t.Fatal(err)
		}
		task := w.checkOut(string(example))
		synctest.Wait()
		if want := []string{"payment.processed", "payment.attempted", "checkout.completed"}; !slices.Equal(subscriber.heard, want) {
			t.Errorf("a subscriber hears %q, want %q", subscriber.heard, want)
		}
		if got, want := w.journal.page(task.ID).Events, []string{"payment.processed", "order.created", "checkout.completed"}; !slices.Equal(got, want) {
			t.Errorf("a consumer reads %q, want %q", got, want)
		}
	})
}

// 7.8, 7
func TestASubscriberThatPanicsFailsOrBlocksHarmsNobody(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(context.Context, tasker.DomainEvent) error{
		"panics": func(context.Context, tasker.DomainEvent) error { panic("no") },
		"fails":  func(context.Context, tasker.DomainEvent) error { return errors.New("no") },
		"blocks": func(ctx context.Context, _ tasker.DomainEvent) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := open(t, incidents["none"], asItIs)
				if _, err := w.Subscribe(tasker.Subscription{Name: "bad", Pattern: "*", Buffer: 1, Timeout: time.Minute, Handle: handle}); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if task := w.checkOut(string(example)); task.State.String() != "complete" {
						t.Errorf("a checkout is %s", task.State)
					}
				}
				synctest.Wait() // until all that can be heard was heard
				w.holds(map[string]float64{`checkout_conversions_total{namespace="ecommerce"}`: 3})
				dropped := 0
				for _, outcomes := range w.Events.All() {
					dropped += outcomes[tasker.EventDropped]
				}
				if name == "blocks" && dropped == 0 {
					t.Error("its buffer is full, and nothing counts as dropped")
				}
				time.Sleep(time.Hour) // until it is given up
			})
		})
	}
}

// orderByNumber has the schema of order.created want what no step gives.
func orderByNumber(template string) string {
	return strings.Replace(template, "order_id: {type: string}", "order_id: {type: integer}", 1)
}

// 7.8, 8
func TestAPayloadThatBreaksItsSchemaIsNotPublishedAndTheStepIsWhatItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["none"], orderByNumber)
		task := w.checkOut(string(example))
		synctest.Wait()
		if page := w.journal.page(task.ID); task.State.String() != "complete" || slices.Contains(page.Events, "order.created") {
			t.Errorf("the task is %s, the journal holds %v", task.State, page.Events)
		}
		w.holds(map[string]float64{
			`tasker_events_failed_total{event="order.created",mode="durable",namespace="ecommerce",reason="schema"}`: 1,
			`tasker_events_published_total{event="order.created",mode="durable",namespace="ecommerce"}`:              0,
		})
	})
}

// 7.8, 9
func TestWhichEventsASubscriberOfThisPostHears(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, name string
		hears         bool
	}{
		{"checkout.completed", "checkout.completed", true},
		{"checkout.completed", "checkout.failed", false},
		{"inventory.*", "inventory.retrying", true},
		{"*.failed", "checkout.failed", true},
		{"*", "payment.declined", true},
		{"payment.*", "payment.card.declined", false},
	} {
		matches, err := tasker.EventPattern(tt.pattern)
		if err != nil || matches(tt.name) != tt.hears {
			t.Errorf("%s hears of %s: %v, want %v (%v)", tt.pattern, tt.name, !tt.hears, tt.hears, err)
		}
	}
}

// 7.8, 12
func TestEachLogLineIsFoundByTheCorrelationIDAndLeadsToItsSpan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang-once"], asItIs)
		task := w.checkOut(string(example))
		synctest.Wait()
		spans := map[string]string{}
		for _, s := range w.Spans.Trace(task.ID.String()) {
			spans[s.SpanContext().SpanID().String()] = s.SpanContext().TraceID().String()
		}
		lines := w.Lines.Of("{")
		for _, line := range lines {
			var fields struct {
				Level         string `json:"level"`
				Message       string `json:"msg"`
				CorrelationID string `json:"correlation_id"`
				Trace         string `json:"trace_id"`
				Span          string `json:"span_id"`
			}
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if _, known := spans[fields.Span]; fields.CorrelationID != task.CorrelationID || !known && fields.Message != "tasker.task.finished" || fields.Trace == "" {
				t.Errorf("it is not of the checkout's spans: %s", line)
			}
			if strings.Contains(line, "john@") || strings.Contains(line, "context deadline") {
				t.Errorf("it tells what it should not: %s", line)
			}
			if strings.Count(line, `"level"`) != 1 {
				t.Errorf("a field is there twice: %s", line)
			}
		}
		if len(lines) < 9 || len(w.Lines.Of(task.CorrelationID)) != len(lines) {
			t.Errorf("there are %d lines, %d by the correlation id", len(lines), len(w.Lines.Of(task.CorrelationID)))
		}
	})
}

// 7.8, 13
func TestACheckoutOf45SecondsIsInTimeAndOneOf46IsNot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		last   time.Duration
		met    string
		alerts int
	}{
		{5 * time.Second, `met="true"`, 0},
		{6 * time.Second, `met="false"`, 1},
	} {
		t.Run(tt.met, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				takes := map[string]time.Duration{"validate_cart": 8, "process_payment": 25, "update_inventory": 5, "create_order": 2}
				slow := func(next tasker.Runner) tasker.Runner {
					return func(ctx context.Context) (any, error) {
						step := tasker.Current(ctx).Step
						if step == "send_confirmation" {
							time.Sleep(tt.last)
						}
						time.Sleep(takes[step] * time.Second)
						return next(ctx)
					}
				}
				w := open(t, incidents["none"], asItIs, func(c *tasker.Config) { c.Middleware = append(c.Middleware, slow) })
				task := w.checkOut(string(example))
				synctest.Wait()
				if took := task.FinishedAt.Sub(task.CreatedAt); took != 40*time.Second+tt.last {
					t.Fatalf("it took %v", took)
				}
				w.holds(map[string]float64{`checkout_sla_total{` + tt.met + `}`: 1})
				violations := 0
				for _, a := range w.Alerts.All() {
					if a.Name == "performance.sla.violation" {
						violations++
					}
				}
				if violations != tt.alerts {
					t.Errorf("%d alerts, want %d: %v", violations, tt.alerts, w.Alerts.All())
				}
			})
		})
	}
}

func TestABottleneckIsOverItsThresholdAndNotAtIt(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int]int{3: 0, 4: 1} {
		synctest.Test(t, func(t *testing.T) {
			slow := func(next tasker.Runner) tasker.Runner {
				return func(ctx context.Context) (any, error) {
					if tasker.Current(ctx).Step == "update_inventory" {
						time.Sleep(time.Duration(seconds) * time.Second)
					}
					return next(ctx)
				}
			}
			w := open(t, incidents["none"], asItIs, func(c *tasker.Config) { c.Middleware = append(c.Middleware, slow) })
			w.checkOut(string(example))
			synctest.Wait()
			if alerts := w.Alerts.All(); len(alerts) != want || want == 1 && alerts[0].Reason != "1.33 times its threshold of 3s" {
				t.Errorf("after %d s the alerts are %v", seconds, alerts)
			}
		})
	}
}

// 7.8, 14
func TestWithoutTelemetryACheckoutIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		world := post.NewWorld()
		shop := newShop(world, incidents["hang-once"])
		bare := tasker.Config{
			Store: memory.New(), Templates: []*template.Template{watchedTemplate("production")}, Handlers: shop.Handlers(), Environment: "production",
			Middleware: []tasker.Middleware{sayWhatItIsWorth}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}
		engine, err := tasker.New(bare)
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		made, err := engine.Submit(t.Context(), tasker.Request{Namespace: "ecommerce", Name: "monitored_checkout", Context: json.RawMessage(example), CorrelationID: "same"})
		if err != nil {
			t.Fatal(err)
		}
		unwatched, err := engine.Wait(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		w := open(t, incidents["hang-once"], asItIs)
		watched := w.checkOut(string(example))
		for i := range unwatched.Steps {
			a, b := unwatched.Steps[i], watched.Steps[i]
			if a.State != b.State || a.Attempts != b.Attempts || a.Trace != "" || b.Trace == "" {
				t.Errorf("%s: %s after %d attempts without, %s after %d with (traces %q and %q)", a.Name, a.State, a.Attempts, b.State, b.Attempts, a.Trace, b.Trace)
			}
		}
	})
}

func TestTheJournalBooksWhatComesTwiceOnce(t *testing.T) {
	t.Parallel()
	told, err := newTelemetry(watchedTemplate("test"), "")
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(post.NewWorld(), told.Business, "mine")
	lost := tasker.DomainEvent{ID: tasker.ID{1}, RootID: tasker.ID{9}, Name: "checkout.failed", Step: "update_inventory", Namespace: "ecommerce", Tag: "mine",
		Payload: json.RawMessage(`{"error_code": "STEP_TIMEOUT", "order_value": 99.99, "customer_tier": "premium"}`)}
	foreign := lost
	foreign.ID, foreign.Tag = tasker.ID{2}, "theirs"
	for _, e := range []tasker.DomainEvent{lost, lost, foreign} {
		if err := j.Book(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if page := j.page(tasker.ID{9}); page.Lost != 9999 || len(page.Events) != 1 {
		t.Errorf("the journal holds %+v", page)
	}
	if got := samples(told.scraped("checkout_revenue_lost"))[`checkout_revenue_lost_total{customer_tier="premium"}`]; got != 9999 {
		t.Errorf("%v cents are lost by the metrics", got)
	}
}

const canary = "s3cr3t-canary"

// collectorOf is a collector that keeps what it is sent.
func collectorOf(t *testing.T) (url string, got func() (bytes string, requests int)) {
	t.Helper()
	var mu sync.Mutex
	var all strings.Builder
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("the collector is sent %s to %s", r.Header.Get("Content-Type"), r.URL.Path)
		}
		raw, _ := io.ReadAll(r.Body)
		all.Write(raw)
		n++
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (string, int) {
		mu.Lock()
		defer mu.Unlock()
		return all.String(), n
	}
}

func TestASecretInContextResultAndErrorIsInNothingThatIsTold(t *testing.T) {
	t.Parallel()
	url, sent := collectorOf(t)
	leaky := thisPost
	var world *post.World
	leaky.Handlers = func(w *post.World) tasker.Handlers {
		world = w
		all := shopOf(w).Handlers()
		all["ecommerce.ValidateCartHandler"] = tasker.Step(func(ctx context.Context, in cartInput) (struct {
			Cart
			Secret string `json:"secret"`
		}, error) {
			tasker.Annotate(ctx, "note", canary)
			cart, err := shopOf(w).ValidateCart(ctx, in)
			return struct {
				Cart
				Secret string `json:"secret"`
			}{cart, canary}, err
		})
		all["ecommerce.CreateOrderHandler"] = tasker.Step(func(context.Context, orderInput) (Order, error) {
			return Order{}, tasker.Permanent("NO_ORDER", "the book is full: %s", canary).With("why", canary)
		})
		return all
	}
	metrics := ""
	leaky.Conclude = func(w *post.World) []string {
		metrics = telemetryOf(w).text()
		return conclude(w)
	}
	r := reader
	r.Post = leaky
	o := r.Run(t, with(t, `{"customer_id": "`+canary+`", "customer_email": "`+canary+`@example.com", "note": "`+canary+`"}`), "-input", "-", "-env", "test", "-otlp", url)
	if o.Exit != 1 || !strings.Contains(o.Stdout, "NO_ORDER") {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	// What the terminal says of the run itself, it says to who started it.
	_, shown, found := strings.Cut(o.Stdout, "\nWhile the stock hung")
	bytes, requests := sent()
	if !found || requests == 0 || !strings.Contains(bytes, "tasker.step.execute") {
		t.Fatalf("the collector was sent %d bytes by %d requests\n%s", len(bytes), requests, o.Stdout)
	}
	told := telemetryOf(world)
	events, _ := json.Marshal(told.Events.All())
	for what, output := range map[string]string{
		"the spans that were sent": bytes, "/metrics": metrics, "the log lines": strings.Join(told.Lines.Of("{"), "\n"),
		"the counts of events": string(events), "the telemetry part of the terminal": shown,
	} {
		if output == "" || strings.Contains(output, canary) {
			t.Errorf("%s have the secret, or nothing:\n%s", what, output)
		}
	}
	for _, a := range told.Alerts.All() {
		if strings.Contains(a.String(), canary) {
			t.Errorf("an alert has the secret: %s", a)
		}
	}
}

func TestASecretIsInNoPayload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, incidents["hang"], asItIs)
		subscriber, consumer := &ear{}, &ear{}
		if _, err := w.Subscribe(tasker.Subscription{Name: "all", Pattern: "*", Handle: subscriber.hear}); err != nil {
			t.Fatal(err)
		}
		w.checkOut(with(t, `{"customer_id": "`+canary+`", "note": "`+canary+`"}`))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = w.Consume(ctx, tasker.Consumer{Name: "all", Pattern: "*", Handle: consumer.hear}) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		all := strings.Join(append(subscriber.payloads, consumer.payloads...), "\n")
		if len(consumer.heard) != 2 || len(subscriber.heard) < 3 || strings.Contains(all, canary) || strings.Contains(all, "john@") || strings.Contains(all, "deadline") {
			t.Errorf("the consumer has read %q, the subscriber heard %q; payloads:\n%s", consumer.heard, subscriber.heard, all)
		}
	})
}

func TestACollectorThatIsNotThereCostsNothingButAWarning(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-env", "test", "-incident", "none", "-otlp", "http://127.0.0.1:1")
	if o.Exit != 0 || o.Took > 4*time.Second {
		t.Errorf("exit %d after %v\n%s", o.Exit, o.Took, o.Stderr)
	}
}
