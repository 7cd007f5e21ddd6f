// Command memfloor is a plain in-memory DAG executor: no durability, the reference for an embedded default.
// Variants: json (results are marshalled and unmarshalled between steps), plain (values are passed).
package main

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"
)

type P = harness.Payload

type task struct {
	id      int
	left    [8]atomic.Int32
	results [8]any
	ch      chan struct{}
}
type item struct {
	t   *task
	idx int
}

type peer struct {
	c     *harness.Config
	names []string
	deps  [][]int
	kids  [][]int
	work  chan item
	back  []*task
	done  atomic.Int64
	plain bool
}

func (p *peer) Version() string { return "go" }
func (p *peer) Setup(ctx context.Context, c *harness.Config) error {
	p.c, p.plain = c, c.Variant == "plain"
	p.names, p.deps = harness.DAG(c.Workload)
	p.kids = make([][]int, len(p.deps))
	for i, d := range p.deps {
		for _, j := range d {
			p.kids[j] = append(p.kids[j], i)
		}
	}
	p.work = make(chan item, 3*c.N+16)
	return nil
}
func (p *peer) mk(id int) *task {
	t := &task{id: id, ch: make(chan struct{})}
	for i, d := range p.deps {
		t.left[i].Store(int32(len(d)))
	}
	return t
}
func (p *peer) push(t *task) {
	for i, d := range p.deps {
		if len(d) == 0 {
			p.work <- item{t, i}
		}
	}
}
func (p *peer) SubmitAll(ctx context.Context, n int) error {
	p.back = make([]*task, n)
	return harness.Each(n, p.c.Submitter, func(i int) error { p.back[i] = p.mk(i); p.push(p.back[i]); return nil })
}
func (p *peer) run(it item) {
	in := make([]P, 0, 3)
	if len(p.deps[it.idx]) == 0 {
		in = append(in, harness.First(it.t.id))
	}
	for _, j := range p.deps[it.idx] {
		if p.plain {
			in = append(in, it.t.results[j].(P))
		} else {
			var v P
			_ = json.Unmarshal(it.t.results[j].([]byte), &v)
			in = append(in, v)
		}
	}
	harness.Ran()
	out := harness.Step(p.names[it.idx], in...)
	if p.plain {
		it.t.results[it.idx] = out
	} else {
		b, _ := json.Marshal(out)
		it.t.results[it.idx] = b
	}
	if it.idx == len(p.deps)-1 {
		p.done.Add(1)
		close(it.t.ch)
		return
	}
	for _, k := range p.kids[it.idx] {
		if it.t.left[k].Add(-1) == 0 {
			p.work <- item{it.t, k}
		}
	}
}
func (p *peer) StartWorker(ctx context.Context) error {
	for range p.c.Conc {
		go func() {
			for it := range p.work {
				p.run(it)
			}
		}()
	}
	return nil
}
func (p *peer) WaitAll(ctx context.Context, n int) error {
	return harness.Poll(ctx, n, time.Millisecond, func() (int, error) { return int(p.done.Load()), nil })
}
func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	t := p.mk(id)
	p.push(t)
	return harness.HandleFunc(func(context.Context) error { <-t.ch; return nil }), nil
}
func (p *peer) Stop(context.Context) {}

func main() { harness.Run("memfloor", harness.Flags(), &peer{}, harness.Memory) }
