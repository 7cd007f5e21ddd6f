package tasker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
)

// heard collects events.
type heard struct {
	mu     sync.Mutex
	events []tasker.DomainEvent
}

func (h *heard) take(_ context.Context, e tasker.DomainEvent) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	return nil
}

// names are those that came, in order.
func (h *heard) names() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		names = append(names, e.Name)
	}
	return names
}

func (h *heard) last() tasker.DomainEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		return tasker.DomainEvent{}
	}
	return h.events[len(h.events)-1]
}

// subscribes hears everything that s publishes fast.
func (s shop) subscribes(sub tasker.Subscription) {
	s.t.Helper()
	if sub.Pattern == "" {
		sub.Pattern = "*"
	}
	if _, err := s.Subscribe(sub); err != nil {
		s.t.Fatal(err)
	}
}

// consumes works for a consumer until the test ends or stop is called.
func (s shop) consumes(c tasker.Consumer) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Consume(ctx, c); !errors.Is(err, context.Canceled) {
			s.t.Errorf("the consumer ended by %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	s.t.Cleanup(stop)
	return stop
}

// passes lets time pass, and what it brings happen.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// everyCondition declares an event for each condition.
const everyCondition = `
on_failure: fail
steps:
  - name: pay
    handler: {callable: pay}
    retry: {limit: 2, backoff_base_ms: 100}
    publishes_events:
      - {name: on.success, delivery_mode: %[1]s}
      - {name: on.failure, condition: failure, delivery_mode: %[1]s}
      - {name: on.retry, condition: retryable_failure, delivery_mode: %[1]s}
      - {name: on.end, condition: permanent_failure, delivery_mode: %[1]s}
      - {name: on.any, condition: always, delivery_mode: %[1]s}
`

// outcomes are handlers, and the conditions that each of them meets.
var outcomes = []struct {
	name    string
	handler func() tasker.Handler
	want    []string
}{
	{"a success", func() tasker.Handler { return fine }, []string{"on.success", "on.any"}},
	{"a failure for good", func() tasker.Handler { return failing(tasker.Permanent("NO", "no")) }, []string{"on.failure", "on.end", "on.any"}},
	{"a failure that is healed", func() tasker.Handler { return failing(errors.New("not now"), nil) },
		[]string{"on.failure", "on.retry", "on.any", "on.success", "on.any"}},
	{"failures until there are no attempts left", func() tasker.Handler { return failing(errors.New("not now")) },
		[]string{"on.failure", "on.retry", "on.any", "on.failure", "on.end", "on.any"}},
}

// failing returns these errors in turn, the last one from then on.
func failing(errs ...error) tasker.Handler {
	var mu sync.Mutex
	return doing(func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		err := errs[0]
		if len(errs) > 1 {
			errs = errs[1:]
		}
		return err
	})
}

func TestEachConditionPublishesWhatItShouldAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, tt := range outcomes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var all heard
				s := start(t, fmt.Sprintf(everyCondition, "fast"), tasker.Handlers{"pay": tt.handler()})
				s.subscribes(tasker.Subscription{Handle: all.take})
				s.run()
				synctest.Wait()
				if diff := cmp.Diff(tt.want, all.names()); diff != "" {
					t.Errorf("published are (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestEachModeReachesItsReadersAndNoOthers(t *testing.T) {
	t.Parallel()
	for mode, want := range map[tasker.Delivery]struct{ subscriber, consumer bool }{
		tasker.Fast: {true, false}, tasker.Durable: {false, true}, tasker.Broadcast: {true, true},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var fast, durable heard
				s := start(t, fmt.Sprintf(everyCondition, mode), tasker.Handlers{"pay": fine})
				s.subscribes(tasker.Subscription{Pattern: "on.success", Handle: fast.take})
				s.consumes(tasker.Consumer{Name: "books", Pattern: "on.success", Handle: durable.take})
				s.run()
				passes(2 * time.Second)
				if (len(fast.names()) == 1) != want.subscriber || (len(durable.names()) == 1) != want.consumer {
					t.Errorf("the subscriber has %v, the consumer %v", fast.names(), durable.names())
				}
			})
		})
	}
}

const declared = `
on_failure: fail
steps:
  - name: pay
    handler: {callable: pay}
    retry: {limit: 1}
    publishes_events:
      - name: payment.made
        delivery_mode: fast
        schema:
          type: object
          required: [amount]
          properties:
            amount: {type: integer}
            tier: {type: string}
            card: {type: object, properties: {brand: {type: string}}}
            lines: {type: array, items: {$ref: "#/definitions/line"}}
            free: {type: object}
          definitions:
            line: {type: object, properties: {sku: {type: string}}}
      - name: payment.refused
        condition: failure
        delivery_mode: fast
        schema:
          type: object
          properties:
            error_type: {type: string}
            error_code: {type: string}
            attempt: {type: integer}
            max_attempts: {type: integer}
            will_retry: {type: boolean}
            tier: {type: string}
            amount: {type: integer}
`

func TestOnlyWhatTheSchemaDeclaresLeaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		result any
		err    error
		want   string // of the payload; "" for no event
	}{
		{"fields of the result, at any depth", map[string]any{
			"amount": 5, "secret": "s", "card": map[string]any{"brand": "b", "number": "n"},
			"lines": []any{map[string]any{"sku": "a", "price": 3}}, "free": map[string]any{"as": "it is"},
		}, nil, `{"amount":5,"card":{"brand":"b"},"free":{"as":"it is"},"lines":[{"sku":"a"}],"tier":"gold"}`},
		{"the result goes before what was annotated", map[string]any{"amount": 5, "tier": "silver"}, nil, `{"amount":5,"tier":"silver"}`},
		{"a result that breaks the schema publishes nothing", map[string]any{"amount": "five"}, nil, ""},
		{"nor does one without what is required", "a text", nil, ""},
		{"of a failure what is known of it, without its message", nil, tasker.Permanent("DECLINED", "secret").With("amount", 7).With("secret", 1),
			`{"amount":7,"attempt":1,"error_code":"DECLINED","error_type":"permanent","max_attempts":1,"tier":"gold","will_retry":false}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var all heard
				var invalid []string
				handler := tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
					tasker.Annotate(ctx, "tier", "gold")
					tasker.Annotate(ctx, "private", "gold")
					return tt.result, tt.err
				})
				s := start(t, declared, tasker.Handlers{"pay": handler}, func(c *tasker.Config) {
					c.ObserveEvents = func(n tasker.EventNotice) {
						if n.Outcome == tasker.EventInvalid {
							invalid = append(invalid, n.Event.Name)
						}
					}
				})
				s.subscribes(tasker.Subscription{Handle: all.take})
				task := s.run()
				synctest.Wait()
				if got := string(all.last().Payload); got != tt.want {
					t.Errorf("the payload is %s, want %s", got, tt.want)
				}
				if tt.want == "" && (task.State != tasker.TaskComplete || !slices.Equal(invalid, []string{"payment.made"})) {
					t.Errorf("the task is %s, and %v are called invalid", task.State, invalid)
				}
			})
		})
	}
}

func TestAnEventSaysWhereItIsFrom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all heard
		s := start(t, fmt.Sprintf(everyCondition, "broadcast"), tasker.Handlers{"pay": fine})
		s.subscribes(tasker.Subscription{Pattern: "on.success", Handle: all.take})
		s.consumes(tasker.Consumer{Name: "books", Pattern: "on.success", Handle: all.take})
		task := s.run()
		passes(2 * time.Second)
		if len(all.events) != 2 {
			t.Fatalf("there are %v", all.names())
		}
		fast, durable := all.events[0], all.events[1]
		if fast.Position > durable.Position {
			fast, durable = durable, fast
		}
		if fast.ID != durable.ID || !fast.FiredAt.Equal(durable.FiredAt) || durable.Position == 0 {
			t.Errorf("the subscriber has %+v, the consumer %+v", fast, durable)
		}
		fast.ID, fast.FiredAt = tasker.ID{}, time.Time{}
		want := tasker.DomainEvent{
			Name: "on.success", Payload: []byte(`{}`), TaskID: task.ID, RootID: task.ID, Namespace: "test", Task: "t", Version: "1.0.0",
			Step: "pay", Attempt: 1, CorrelationID: task.CorrelationID,
		}
		if diff := cmp.Diff(want, fast); diff != "" {
			t.Errorf("the event (-want +got):\n%s", diff)
		}
	})
}

func TestWhatAnOperatorSaysBecameOfAStepIsPublishedToo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(s shop, id tasker.ID) (*tasker.Task, error)
		want []string
	}{
		{"completed", func(s shop, id tasker.ID) (*tasker.Task, error) {
			return s.CompleteStep(s.t.Context(), id, "pay", map[string]int{"amount": 1}, ops)
		}, []string{"on.success", "on.any"}},
		{"failed", func(s shop, id tasker.ID) (*tasker.Task, error) {
			return s.FailStep(s.t.Context(), id, "pay", nil, ops)
		}, []string{"on.failure", "on.end", "on.any"}},
		{"resolved, without a result", func(s shop, id tasker.ID) (*tasker.Task, error) {
			return s.ResolveStep(s.t.Context(), id, "pay", ops)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var all heard
				s := open(t, fmt.Sprintf(everyCondition, "durable"), tasker.Handlers{"pay": fine})
				s.must(tt.do(s, s.submit()))
				s.consumes(tasker.Consumer{Name: "books", Pattern: "*", Handle: all.take})
				passes(2 * time.Second)
				if diff := cmp.Diff(tt.want, all.names()); diff != "" {
					t.Errorf("published are (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWhatAnOperatorDidIsToldThoughTheReplyWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fast, lasting heard
		var told []string
		var cut atomic.Bool
		s := open(t, strings.Replace(fmt.Sprintf(everyCondition, "broadcast"), "on_failure: fail", "on_failure: block", 1), tasker.Handlers{"pay": fine}, func(c *tasker.Config) {
			c.Store = &between{Store: c.Store, append: func(_ []tasker.Append, pass pass) ([]tasker.Appended, error) {
				answers, err := pass()
				if cut.CompareAndSwap(false, true) {
					return nil, errCut
				}
				return answers, err
			}}
			c.Observe = func(_ tasker.Row, r tasker.Record) { told = append(told, fmt.Sprint(r.Seq, r.Events[0].Kind)) }
		})
		s.subscribes(tasker.Subscription{Handle: fast.take})
		s.consumes(tasker.Consumer{Name: "books", Pattern: "*", Handle: lasting.take})
		id := s.submit()
		s.must(s.FailStep(t.Context(), id, "pay", nil, ops))
		passes(2 * time.Second)
		if want := []string{"1 submitted", "2 failed_by_hand"}; !slices.Equal(told, want) {
			t.Errorf("the observer was told of %v, want %v", told, want)
		}
		want := []string{"on.failure", "on.end", "on.any"}
		if !slices.Equal(fast.names(), want) || !slices.Equal(lasting.names(), want) || fast.last().ID != lasting.last().ID {
			t.Errorf("subscribers heard %v, and consumers %v", fast.names(), lasting.names())
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
