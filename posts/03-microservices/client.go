package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/httpverdict"
)

// Client calls one service over HTTP. Every call has a time limit, names the
// registration that it belongs to, and goes through the service's guard.
type Client struct {
	http  *http.Client
	guard *guard
	wait  time.Duration // after a 429 that names no time
}

// Endpoint is where a service is, as the template has it.
type Endpoint struct {
	BaseURL   string `json:"base_url"`
	TimeoutMS int64  `json:"timeout_ms"` // of one call; less than the step's
}

// What travels in the headers of every call.
const (
	headerKey         = "Idempotency-Key"
	headerCorrelation = "X-Correlation-ID"
	headerWorld       = "X-Simulated-World" // the task whose world it is; only a simulation needs it
)

// Get asks for what is at path, and reads it into answer.
func (c *Client) Get(ctx context.Context, at Endpoint, path string, answer any) error {
	return c.guarded(ctx, at, http.MethodGet, path, "", nil, answer)
}

// Post makes something, once for each key.
func (c *Client) Post(ctx context.Context, at Endpoint, path, key string, body, answer any) error {
	return c.guarded(ctx, at, http.MethodPost, path, key, body, answer)
}

// Put sets something. To set it twice is to set it once, so it needs no key.
func (c *Client) Put(ctx context.Context, at Endpoint, path string, body, answer any) error {
	return c.guarded(ctx, at, http.MethodPut, path, "", body, answer)
}

func (c *Client) guarded(ctx context.Context, at Endpoint, method, path, key string, body, answer any) error {
	return c.guard.do(ctx, func() error { return c.send(ctx, at, method, path, key, body, answer) })
}

// send makes one request. Its errors are verdicts.
func (c *Client) send(ctx context.Context, at Endpoint, method, path, key string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(at.TimeoutMS)*time.Millisecond)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, at.BaseURL+path, bytes.NewReader(text))
	if err != nil {
		return httpverdict.OfError(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(headerCorrelation, correlationID(ctx))
	request.Header.Set(headerWorld, worldOf(ctx).String())
	if key != "" {
		request.Header.Set(headerKey, key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return httpverdict.OfError(err)
	}
	defer response.Body.Close()
	if err := verdictOf(response, c.wait); err != nil {
		return err
	}
	return read(response.Body, answer)
}

// maxAnswer bounds what a service can make us read.
const maxAnswer = 1 << 20

// read takes an answer in. One that is no JSON may come from a proxy on its
// way up, so it is worth another attempt.
func read(body io.Reader, answer any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return httpverdict.OfError(err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return tasker.Retryable(codeUnreadable, "the service's answer cannot be read: %w", err)
	}
	return nil
}

// correlationID is what all calls of one registration have in common: what
// the caller sent along, else the task's own.
func correlationID(ctx context.Context) string {
	a := tasker.Current(ctx)
	if a == nil {
		return ""
	}
	var input struct {
		CorrelationID string `json:"correlation_id"`
	}
	if _ = json.Unmarshal(a.Context(), &input); input.CorrelationID != "" {
		return input.CorrelationID
	}
	return a.CorrelationID
}

func worldOf(ctx context.Context) (root tasker.ID) {
	if a := tasker.Current(ctx); a != nil {
		root = a.RootID
	}
	return root
}
