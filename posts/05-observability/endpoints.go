package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// serve answers on -serve, until Ctrl-C: who scrapes comes again and again.
func (t *Telemetry) serve(ctx context.Context, w *post.World, e *tasker.Engine) error {
	asked := w.Flag("serve")
	if len(asked) == 0 {
		return nil
	}
	address := asked[len(asked)-1]
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return post.WrongUsage("-serve %s: %v; choose another address, or port 0 for any that is free", address, errors.Unwrap(err))
	}
	server := &http.Server{Handler: t.endpoints(e), ReadHeaderTimeout: patience} // who is slow to ask holds nothing
	go func() { _ = server.Serve(listener) }()
	w.Say("serving", "http://%s/metrics, until Ctrl-C", listener.Addr())
	w.AtEnd(func() {
		<-ctx.Done()
		_ = server.Close()
	})
	return nil
}

// endpoints are what operators and their machines ask.
func (t *Telemetry) endpoints(e *tasker.Engine) http.Handler {
	mux := http.NewServeMux()
	// In the format OpenMetrics a figure names the trace of one that it counts.
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	answer := func(path string, ask func(*http.Request) (status int, body any)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			status, body := ask(r)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body) // a reader that has gone away wants no more
		})
	}
	answer("/healthz", func(*http.Request) (int, any) { return http.StatusOK, map[string]string{"status": "alive"} })
	answer("/readyz", func(r *http.Request) (int, any) { return readiness(r.Context(), e) })
	answer("/debug/events", func(*http.Request) (int, any) { return http.StatusOK, t.Events.All() })
	answer("/tasks", func(r *http.Request) (int, any) { return tasksOf(r.Context(), e, r.FormValue("correlation_id")) })
	return mux
}

// storeLimit is how long a store may take to be called ready.
const storeLimit = time.Second

// readiness says whether work should be sent here: whether the store answers.
func readiness(ctx context.Context, e *tasker.Engine) (int, any) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	if _, err := e.Rows(ctx, tasker.Filter{Limit: 1}); err != nil {
		return http.StatusServiceUnavailable, map[string]string{"status": "the store does not answer"}
	}
	now := e.Stats()
	return http.StatusOK, map[string]any{"status": "ready", "held": now.Held, "running": now.Running, "queued": now.Queued, "stuck": now.Stuck}
}

// taskState is a task as /tasks tells it: how far it is, and nothing of what
// is in it.
type taskState struct {
	ID            tasker.ID   `json:"id"`
	Name          string      `json:"name"`
	State         string      `json:"state"`
	CorrelationID string      `json:"correlation_id"`
	CreatedAt     time.Time   `json:"created_at"`
	Steps         []stepState `json:"steps"`
}

type stepState struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	Attempts  int    `json:"attempts"`
	ErrorCode string `json:"error_code,omitempty"`
}

// tasksOf finds the tasks of a correlation id among the newest thousand.
func tasksOf(ctx context.Context, e *tasker.Engine, correlationID string) (int, any) {
	if correlationID == "" {
		return http.StatusBadRequest, map[string]string{"error": "ask for /tasks?correlation_id=ID"}
	}
	rows, err := e.Rows(ctx, tasker.Filter{Limit: 1000})
	found := []taskState{}
	for i := range rows {
		if rows[i].CorrelationID != correlationID || err != nil {
			continue
		}
		var task *tasker.Task
		if task, err = e.Task(ctx, rows[i].ID); err == nil {
			found = append(found, stateOf(task))
		}
	}
	if err != nil {
		return http.StatusServiceUnavailable, map[string]string{"error": "the store does not answer"}
	}
	return http.StatusOK, found
}

func stateOf(t *tasker.Task) taskState {
	state := taskState{ID: t.ID, Name: t.Name, State: t.State.String(), CorrelationID: t.CorrelationID, CreatedAt: t.CreatedAt}
	for i := range t.Steps {
		s := stepState{Name: t.Steps[i].Name, State: t.Steps[i].State.String(), Attempts: t.Steps[i].Attempts}
		if failure := t.Steps[i].Error; failure != nil {
			s.ErrorCode = failure.Code
		}
		state.Steps = append(state.Steps, s)
	}
	return state
}
