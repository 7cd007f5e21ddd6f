package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

const example = `{"room": "12", "card": "tok_1"}`

// submit books a room under a key, as the web server does.
func submit(t *testing.T, s *taskertest.Engine) tasker.ID {
	t.Helper()
	made, err := s.Engine.Submit(t.Context(), tasker.Request{
		Namespace: "hotel", Name: "book_room", Context: booking{"ada", "12", "tok_1"}, IdempotencyKey: "ada/1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func TestWhateverGoesWrongAGuestPaysOnceForARoomOrNothing(t *testing.T) {
	t.Parallel()
	workflows, err := template.Load(templates, "templates/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fault func() taskertest.Option // each engine has its own
		crash bool
		state tasker.TaskState
		left  int // rooms held, and charges
	}{
		"two answers of the bank are lost":      {fault: lost(2), state: tasker.TaskComplete, left: 1},
		"every answer of the bank is lost":      {fault: lost(5), state: tasker.TaskError},
		"the card is declined":                  {fault: declined, state: tasker.TaskError},
		"the process dies with the money taken": {fault: dies, crash: true, state: tasker.TaskComplete, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
				rooms, cards := newSandbox(), newSandbox()
				s := taskertest.New(t, workflows, (&Hotel{rooms, cards}).Handlers(), store, c.fault())
				id := submit(t, s)
				if c.crash {
					s = s.TakeOver()
				}
				s.Expect(id).Is(c.state)
				if rooms.count() != c.left || cards.count() != c.left {
					t.Errorf("%d rooms are held and %d charges made, want %d of each", rooms.count(), cards.count(), c.left)
				}
			})
		})
	}
}

func lost(answers int) func() taskertest.Option {
	return func() taskertest.Option { return taskertest.LoseAnswer("charge_card", answers) }
}

func declined() taskertest.Option { return taskertest.FailForGood("charge_card") }

func dies() taskertest.Option { return taskertest.CrashIn("charge_card") }

// client asks the service as a customer does.
type client struct {
	t        *testing.T
	url      string
	customer string
}

func (c client) ask(method, path, key, body string) (status int, got ticket) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("X-Customer", c.customer)
	r.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(raw, &got) // an answer that is no ticket leaves it empty
	return resp.StatusCode, got
}

func TestTheServiceTakesABookingOnceShowsItToItsCustomerAndStopsGently(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	url := taskertest.Database(t)
	go func() { ended <- run(ctx, url, listener) }()
	t.Cleanup(stop)
	ada := client{t, "http://" + listener.Addr().String(), "ada"}
	eve, nobody, sly := client{t, ada.url, "eve"}, client{t, ada.url, ""}, client{t, ada.url, "ada/x"}

	status, first := ada.ask("POST", "/bookings", "1", example)
	_, again := ada.ask("POST", "/bookings", "1", example)
	if status != http.StatusAccepted || first.ID.IsZero() || again != first {
		t.Errorf("two requests with one key are %d %v and %v", status, first, again)
	}
	if _, hers := eve.ask("POST", "/bookings", "1", example); hers.ID == first.ID {
		t.Error("the key of one customer finds the booking of another")
	}
	for _, c := range []struct {
		who               client
		method, path, key string
		body              string
		want              int
	}{
		{ada, "POST", "/bookings", "1", strings.Replace(example, "12", "11", 1), http.StatusConflict},
		{ada, "POST", "/bookings", "2", `{"room": "12"}`, http.StatusUnprocessableEntity},
		{ada, "POST", "/bookings", "2", `{`, http.StatusBadRequest},
		{ada, "POST", "/bookings", "", example, http.StatusBadRequest},
		{nobody, "POST", "/bookings", "1", example, http.StatusUnauthorized},
		{sly, "POST", "/bookings", "1", example, http.StatusAccepted},
		{ada, "POST", "/bookings", "x/1", example, http.StatusAccepted},
		{eve, "GET", "/bookings/" + first.ID.String(), "", "", http.StatusNotFound},
		{ada, "GET", "/bookings/x", "", "", http.StatusNotFound},
		{ada, "GET", "/metrics", "", "", http.StatusOK},
	} {
		if status, _ := c.who.ask(c.method, c.path, c.key, c.body); status != c.want {
			t.Errorf("%s %s %s by %s is answered by %d, want %d", c.method, c.path, c.body, c.who.customer, status, c.want)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; {
		_, now := ada.ask("GET", "/bookings/"+first.ID.String(), "", "")
		if now.State == tasker.TaskComplete {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the booking is %s", now.State)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the service ends with %v", err)
	}
}
