// Command bench-restate measures restate-server (one binary, its own log and RocksDB) with github.com/restatedev/sdk-go.
// Every step is a durable restate.Run. Variant direct: synchronous calls through the ingress, -conc in flight.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"

	restate "github.com/restatedev/sdk-go"
	"github.com/restatedev/sdk-go/server"
)

type P = harness.Payload

type Flow struct{}

func step(ctx restate.Context, name string, in ...P) restate.RunAsyncFuture[P] {
	return restate.RunAsync(ctx, func(restate.RunContext) (P, error) { harness.Ran(); return harness.Step(name, in...), nil }, restate.WithName(name))
}

func (Flow) L5(ctx restate.Context, in P) (P, error) {
	p := in
	for i := range 5 {
		var err error
		if p, err = step(ctx, fmt.Sprintf("s%d", i), p).Result(); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (Flow) D8(ctx restate.Context, in P) (P, error) {
	var e, t [3]restate.RunAsyncFuture[P]
	for i := range 3 {
		e[i] = step(ctx, fmt.Sprintf("extract%d", i), in)
	}
	for i := range 3 {
		o, err := e[i].Result()
		if err != nil {
			return in, err
		}
		t[i] = step(ctx, fmt.Sprintf("transform%d", i), o)
	}
	var ts []P
	for i := range 3 {
		o, err := t[i].Result()
		if err != nil {
			return in, err
		}
		ts = append(ts, o)
	}
	a, err := step(ctx, "aggregate", ts...).Result()
	if err != nil {
		return in, err
	}
	return step(ctx, "insights", a).Result()
}

type peer struct {
	c  *harness.Config
	hc *http.Client
}

func (p *peer) Version() string { return harness.ModVersion("github.com/restatedev/sdk-go") }

func (p *peer) Setup(ctx context.Context, c *harness.Config) error {
	p.c = c
	p.hc = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	go server.NewRestate().WithLogger(slog.NewTextHandler(io.Discard, nil), false).Bind(restate.Reflect(Flow{})).Start(context.Background(), "127.0.0.1:9080")
	time.Sleep(500 * time.Millisecond)
	r, err := p.hc.Post("http://127.0.0.1:9070/deployments", "application/json", strings.NewReader(`{"uri":"http://127.0.0.1:9080","force":true}`))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); r.StatusCode >= 300 {
		return fmt.Errorf("register: %s %s", r.Status, b)
	}
	return nil
}

func (p *peer) call(ctx context.Context, id int) error {
	b, _ := json.Marshal(harness.First(id))
	r, err := p.hc.Post("http://"+p.c.Addr+"/Flow/"+p.c.Workload, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	var o P
	if err := json.Unmarshal(body, &o); err != nil || o.Sum != harness.Steps(p.c.Workload) {
		return fmt.Errorf("%s: %s", r.Status, body)
	}
	return nil
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	return harness.Each(n, p.c.Conc, func(i int) error { return p.call(ctx, i) })
}
func (p *peer) StartWorker(context.Context) error  { return nil }
func (p *peer) WaitAll(context.Context, int) error { return nil }
func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	return harness.HandleFunc(func(ctx context.Context) error { return p.call(ctx, id) }), nil
}
func (p *peer) Stop(context.Context) {}

func main() { harness.Run("restate", harness.Flags(), &peer{}, harness.Disk) }
