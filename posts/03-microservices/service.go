package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// service is what the four services have in common: they are HTTP servers,
// they log each request, and they fail as their script says.
type service struct {
	name   string
	mux    *http.ServeMux
	script *script
	log    *slog.Logger
}

// call is a request as a service reads it.
type call struct {
	ctx   context.Context
	world tasker.ID // of the task that asks
	key   string    // Idempotency-Key
	*http.Request
}

// refusal is an answer other than a success.
type refusal struct {
	status     int
	retryAfter time.Duration
	message    string
}

func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

// handle serves a route, such as "POST /users". What f returns is the answer:
// 201 for what was posted, 200 for the rest, or the status of a refusal.
func (s *service) handle(route string, f func(*call) (any, error)) {
	s.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		world, err := tasker.ParseID(r.Header.Get(headerWorld))
		if err != nil {
			answerRefusal(w, refuse(http.StatusBadRequest, "%s names no world", headerWorld))
			return
		}
		c := &call{ctx: r.Context(), world: world, key: r.Header.Get(headerKey), Request: r}
		if r.Method == http.MethodPost && c.key == "" {
			answerRefusal(w, refuse(http.StatusBadRequest, "a POST needs an %s", headerKey))
			return
		}
		answer, err := f(c)
		switch refused := new(refusal); {
		case errors.As(err, &refused):
			answerRefusal(w, refused)
		case err != nil:
			answerRefusal(w, refuse(http.StatusServiceUnavailable, "%v", err))
		case r.Method == http.MethodPost:
			answerJSON(w, http.StatusCreated, answer)
		default:
			answerJSON(w, http.StatusOK, answer)
		}
	})
}

// read takes in the body of a request.
func (c *call) read(body any) error {
	if err := json.NewDecoder(c.Body).Decode(body); err != nil {
		return refuse(http.StatusBadRequest, "the body is not the JSON that is wanted: %v", err)
	}
	return nil
}

// do is [post.Kept.DoIn] in the world of the caller.
func do[T any](c *call, kept *post.Kept[T], f func(*T) error) error {
	return kept.DoIn(c.ctx, c.world, f)
}

func answerRefusal(w http.ResponseWriter, r *refusal) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retryAfter.Seconds()))))
	}
	answerJSON(w, r.status, map[string]string{"error": r.message})
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who has gone away reads nothing
}

// ServeHTTP answers a request, or fails as the script says, and logs it.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.script.next()
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	r.Body = io.NopCloser(bytes.NewReader(body)) // only now is it seen when the caller goes away
	answer := httptest.NewRecorder()             // held back, since it may get lost
	switch {
	case f.kind == faultStatus:
		answerRefusal(answer, &refusal{f.status, f.retryAfter, "this is what the script says"})
	case f.kind == faultDown:
		s.note(r, "none", f)
		panic(http.ErrAbortHandler) // cuts the connection
	case f.kind == faultSlow && !pause(r.Context(), f.delay):
		s.note(r, "none", f)
		panic(http.ErrAbortHandler)
	default:
		s.mux.ServeHTTP(answer, r)
	}
	if f.kind == faultLost {
		s.note(r, "lost", f)
		panic(http.ErrAbortHandler)
	}
	s.note(r, strconv.Itoa(answer.Code), f)
	send(w, answer, f.field)
}

// send passes on an answer, without one of its fields where the script wants
// that.
func send(w http.ResponseWriter, answer *httptest.ResponseRecorder, without string) {
	body := answer.Body.Bytes()
	var fields map[string]json.RawMessage
	if without != "" && json.Unmarshal(body, &fields) == nil {
		delete(fields, without)
		body, _ = json.Marshal(fields)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = bytes.NewReader(body).WriteTo(w)
}

// pause waits, unless the caller gives up before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// note writes a line of the access log. It has neither the query nor the body
// of a request: there are the addresses of people.
func (s *service) note(r *http.Request, status string, f fault) {
	line := s.log.With("service", s.name, "method", r.Method, "path", r.URL.Path, "status", status,
		"correlation_id", r.Header.Get(headerCorrelation))
	if f.kind != faultNone {
		line = line.With("fault", f.text)
	}
	line.Info("request")
}

const logHelp = "the services write a line for each request to that file"

func checkLog(file string) error {
	f, err := openLog(file)
	if err != nil {
		return err
	}
	return f.Close()
}

func openLog(file string) (*os.File, error) {
	return os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// accessLog is where all four services write: the last -log, or nowhere.
func accessLog(w *post.World) *slog.Logger {
	files := w.Flag("log")
	if len(files) == 0 {
		return slog.New(slog.DiscardHandler)
	}
	f, err := openLog(files[len(files)-1])
	if err != nil {
		return slog.New(slog.DiscardHandler) // it could be opened when the flag was read
	}
	w.AtEnd(func() { _ = f.Close() })
	return slog.New(slog.NewJSONHandler(f, nil))
}
