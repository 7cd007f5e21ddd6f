// Command pgfloor is not a peer: it is the least durable work an honest engine can do on the
// same PostgreSQL, as the ceiling that a package can be measured against.
//
// Variants:
//
//	single  one transaction for each step: complete it, release and lease its children, append
//	        a transition row; -conc committers, no batching
//	fused   the same statement for up to -batch steps at once, -committers committers
//	claim   step rows are leased one batch at a time from a ready table (FOR UPDATE SKIP LOCKED)
//	        so that any process can run any step; completion in batches; inputs read back
//	log     a process leases whole tasks; a step's completion is one row appended to a log, in batches
//	insert  like log with one transaction for each step (the floor of designs that commit each step)
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type P = harness.Payload

var (
	batchMax   = flag.Int("batch", 256, "most steps completed in one transaction")
	committers = flag.Int("committers", 2, "concurrent completion transactions")
	guard      = flag.Bool("nojit", false, "jit=off on the engine's connections")
	window     = flag.Int("window", 1024, "tasks (claim: steps) held by the process")
)

const schema = `
CREATE TABLE edges(parent smallint, child smallint, PRIMARY KEY(parent, child));
CREATE TABLE flow(idx smallint PRIMARY KEY, ndeps smallint);
CREATE TABLE tasks(
  id bigint PRIMARY KEY, state smallint NOT NULL DEFAULT 1, prio smallint NOT NULL DEFAULT 0,
  owner int, lease_until timestamptz, input json,
  created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz) WITH (fillfactor=70);
CREATE INDEX tasks_ready ON tasks(prio, id) WHERE state = 1;
CREATE TABLE steps(
  task_id bigint, idx smallint, state smallint NOT NULL, pending smallint NOT NULL, attempt smallint NOT NULL DEFAULT 0,
  owner int, lease_until timestamptz, result json, updated_at timestamptz,
  PRIMARY KEY(task_id, idx)) WITH (fillfactor=50);           -- no index on state: every later update is HOT
CREATE TABLE ready(seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, task_id bigint, idx smallint) WITH (fillfactor=90);
CREATE TABLE transitions(seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id bigint, idx smallint, was smallint, became smallint, owner int, at timestamptz DEFAULT now());
CREATE TABLE step_log(task_id bigint, idx smallint, attempt smallint, owner int, started_at timestamptz, finished_at timestamptz, result json,
  PRIMARY KEY(task_id, idx));
`

// completeSQL: $1 task ids, $2 step indexes, $3 results, $4 owner, $5 sink index.
const completeSQL = `
WITH done AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS d(task_id, idx, result)),
upd AS (UPDATE steps s SET state = 3, result = d.result::json, updated_at = now()
        FROM done d WHERE s.task_id = d.task_id AND s.idx = d.idx AND s.state = 2 AND s.owner = $4
        RETURNING s.task_id, s.idx),
dec AS (SELECT u.task_id, e.child, count(*)::smallint AS n FROM upd u JOIN edges e ON e.parent = u.idx GROUP BY 1, 2),
rel AS (UPDATE steps s SET pending = s.pending - dec.n,
               state = CASE WHEN s.pending = dec.n THEN %s ELSE s.state END, attempt = 1, owner = $4, lease_until = now() + interval '30s'
        FROM dec WHERE s.task_id = dec.task_id AND s.idx = dec.child
        RETURNING s.task_id, s.idx, s.pending),
tr AS (INSERT INTO transitions(task_id, idx, was, became, owner) SELECT task_id, idx, 2, 3, $4 FROM upd),
fin AS (UPDATE tasks t SET state = 3, finished_at = now() FROM upd u WHERE u.idx = $5 AND t.id = u.task_id)
%s`

const submitSQL = `
WITH t AS (INSERT INTO tasks(id, input, state, owner) SELECT id, input::json, $3::smallint, $4::int FROM unnest($1::bigint[], $2::text[]) AS x(id, input) RETURNING id)
%s`

type item struct {
	task int64
	idx  int16
	in   []P
}
type doneItem struct {
	item
	out P
	js  string
	at  time.Time
}

type local struct { // what the owner remembers of a task it holds
	mu      sync.Mutex
	results []P
	left    []int16
	todo    int
}

type peer struct {
	c        *harness.Config
	pool     *pgxpool.Pool
	names    []string
	deps     [][]int
	children [][]int16
	sink     int16
	work     chan item
	done     []chan doneItem
	held     atomic.Int64
	tasks    sync.Map // id -> *local
	finished atomic.Int64
	waiters  sync.Map
	wake     chan struct{}
	notify   chan struct{}
	batches  atomic.Int64
	batched  atomic.Int64
	cancel   context.CancelFunc
}

func (p *peer) Version() string { return "pgx " + harness.ModVersion("github.com/jackc/pgx/v5") }
func (p *peer) rows() bool      { return p.c.Variant != "log" && p.c.Variant != "insert" }

func (p *peer) Setup(ctx context.Context, c *harness.Config) (err error) {
	p.c = c
	switch c.Variant {
	case "single", "insert":
		*batchMax, *committers = 1, c.Conc
	}
	p.names, p.deps = harness.DAG(c.Workload)
	p.children = make([][]int16, len(p.deps))
	for i, d := range p.deps {
		for _, j := range d {
			p.children[j] = append(p.children[j], int16(i))
		}
	}
	p.sink = int16(len(p.deps) - 1)
	p.work = make(chan item, 1<<16)
	p.wake, p.notify = make(chan struct{}, 1), make(chan struct{}, 1)
	dsn := c.DSN
	if *guard {
		dsn += "&jit=off"
	}
	if p.pool, err = harness.Pool(ctx, dsn, max(c.Pool, *committers+c.Submitter+3)); err != nil {
		return err
	}
	if _, err = p.pool.Exec(ctx, schema); err != nil {
		return err
	}
	for i, d := range p.deps {
		if _, err = p.pool.Exec(ctx, `INSERT INTO flow VALUES ($1,$2)`, i, len(d)); err != nil {
			return err
		}
		for _, j := range d {
			if _, err = p.pool.Exec(ctx, `INSERT INTO edges VALUES ($1,$2)`, j, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *peer) submit(ctx context.Context, ids []int64) error {
	ins := make([]string, len(ids))
	for i, id := range ids {
		b, _ := json.Marshal(harness.First(int(id)))
		ins[i] = string(b)
	}
	tail := `SELECT count(*) FROM t`
	switch {
	case p.c.Variant == "claim":
		tail = `, s AS (INSERT INTO steps(task_id, idx, state, pending) SELECT t.id, f.idx, CASE f.ndeps WHEN 0 THEN 1 ELSE 0 END, f.ndeps FROM t, flow f RETURNING task_id, idx, state)
		INSERT INTO ready(task_id, idx) SELECT task_id, idx FROM s WHERE state = 1`
	case p.rows():
		tail = `INSERT INTO steps(task_id, idx, state, pending) SELECT t.id, f.idx, CASE f.ndeps WHEN 0 THEN 1 ELSE 0 END, f.ndeps FROM t, flow f`
	}
	if _, err := p.pool.Exec(ctx, fmt.Sprintf(submitSQL, tail), ids, ins, 1, nil); err != nil {
		return err
	}
	select {
	case p.notify <- struct{}{}:
	default:
	}
	return nil
}

func (p *peer) SubmitAll(ctx context.Context, n int) error {
	b := p.c.SubmitB
	return harness.Each((n+b-1)/b, p.c.Submitter, func(i int) error {
		var ids []int64
		for k := i * b; k < min(n, (i+1)*b); k++ {
			ids = append(ids, int64(k))
		}
		return p.submit(ctx, ids)
	})
}

func (p *peer) StartWorker(ctx context.Context) error {
	ctx, p.cancel = context.WithCancel(ctx)
	for range p.c.Conc {
		go func() {
			for it := range p.work {
				harness.Ran()
				out := harness.Step(p.names[it.idx], it.in...)
				b, _ := json.Marshal(out)
				p.done[int(it.task)%len(p.done)] <- doneItem{it, out, string(b), time.Now()}
			}
		}()
	}
	for range *committers {
		ch := make(chan doneItem, 1<<14)
		p.done = append(p.done, ch)
	}
	for _, ch := range p.done {
		go p.commit(ctx, ch)
	}
	lc, err := pgx.Connect(ctx, p.c.DSN)
	if err != nil {
		return err
	}
	if _, err := lc.Exec(ctx, "LISTEN wake"); err != nil {
		return err
	}
	go func() {
		for {
			if _, err := lc.WaitForNotification(ctx); err != nil {
				return
			}
			p.poke()
		}
	}()
	go func() { // one NOTIFY for everything submitted since the last one
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.notify:
				_, _ = p.pool.Exec(ctx, "SELECT pg_notify('wake','')")
			}
		}
	}()
	go p.claim(ctx)
	p.poke()
	return nil
}

func (p *peer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *peer) claim(ctx context.Context) {
	t := time.NewTicker(100 * time.Millisecond)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-t.C:
		}
		for {
			room := *window - int(p.held.Load())
			if room < *window/2 {
				break
			}
			var n int
			var err error
			if p.c.Variant == "claim" {
				n, err = p.claimSteps(ctx, min(room, *batchMax))
			} else {
				n, err = p.claimTasks(ctx, min(room, 500))
			}
			if err != nil {
				if ctx.Err() == nil && !harness.Ending.Load() {
					log.Fatal("claim: ", err)
				}
				return
			}
			if n == 0 {
				break
			}
		}
	}
}

func (p *peer) claimTasks(ctx context.Context, n int) (int, error) {
	q := `WITH c AS (SELECT id FROM tasks WHERE state = 1 ORDER BY prio, id LIMIT $1 FOR UPDATE SKIP LOCKED),
	t AS (UPDATE tasks SET state = 2, owner = 1, lease_until = now() + interval '30s' FROM c WHERE tasks.id = c.id RETURNING tasks.id, tasks.input)`
	if p.rows() {
		q += `, s AS (UPDATE steps SET state = 2, owner = 1, attempt = 1, lease_until = now() + interval '30s' FROM c WHERE steps.task_id = c.id AND steps.state = 1)`
	}
	rows, err := p.pool.Query(ctx, q+` SELECT id, input::text FROM t`, n)
	if err != nil {
		return 0, err
	}
	type row struct {
		id int64
		in string
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (x row, err error) { err = r.Scan(&x.id, &x.in); return })
	if err != nil {
		return 0, err
	}
	p.held.Add(int64(len(all)))
	for _, x := range all {
		var in P
		_ = json.Unmarshal([]byte(x.in), &in)
		l := &local{results: make([]P, len(p.deps)), left: make([]int16, len(p.deps)), todo: len(p.deps)}
		for i, d := range p.deps {
			l.left[i] = int16(len(d))
		}
		p.tasks.Store(x.id, l)
		for i, d := range p.deps {
			if len(d) == 0 {
				p.work <- item{x.id, int16(i), []P{in}}
			}
		}
	}
	return len(all), nil
}

func (p *peer) claimSteps(ctx context.Context, n int) (int, error) {
	rows, err := p.pool.Query(ctx, `
	WITH c AS MATERIALIZED (SELECT seq FROM ready ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED),
	d AS (DELETE FROM ready USING c WHERE ready.seq = c.seq RETURNING ready.task_id, ready.idx),
	u AS (UPDATE steps s SET state = 2, owner = 1, attempt = s.attempt + 1, lease_until = now() + interval '30s' FROM d
	      WHERE s.task_id = d.task_id AND s.idx = d.idx RETURNING s.task_id, s.idx)
	SELECT u.task_id, u.idx, CASE u.idx WHEN 0 THEN (SELECT array[input::text] FROM tasks t WHERE t.id = u.task_id)
	  ELSE ARRAY(SELECT p.result::text FROM edges e JOIN steps p ON p.task_id = u.task_id AND p.idx = e.parent WHERE e.child = u.idx) END FROM u`, n)
	if err != nil {
		return 0, err
	}
	type row struct {
		id  int64
		idx int16
		in  []string
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (x row, err error) { err = r.Scan(&x.id, &x.idx, &x.in); return })
	if err != nil {
		return 0, err
	}
	p.held.Add(int64(len(all)))
	for _, x := range all {
		it := item{task: x.id, idx: x.idx}
		for _, s := range x.in {
			var v P
			_ = json.Unmarshal([]byte(s), &v)
			it.in = append(it.in, v)
		}
		p.work <- it
	}
	return len(all), nil
}

func (p *peer) commit(ctx context.Context, ch chan doneItem) {
	relState, sel := "2", "SELECT task_id, idx FROM rel WHERE pending = 0"
	if p.c.Variant == "claim" {
		relState, sel = "1", "INSERT INTO ready(task_id, idx) SELECT task_id, idx FROM rel WHERE pending = 0"
	}
	sql := fmt.Sprintf(completeSQL, relState, sel)
	for {
		var b []doneItem
		select {
		case <-ctx.Done():
			return
		case d := <-ch:
			b = append(b, d)
		}
	more:
		for len(b) < *batchMax {
			select {
			case d := <-ch:
				b = append(b, d)
			default:
				break more
			}
		}
		ids, idx, res := make([]int64, len(b)), make([]int16, len(b)), make([]string, len(b))
		var fin []int64
		for i, d := range b {
			ids[i], idx[i], res[i] = d.task, d.idx, d.js
			if d.idx == p.sink {
				fin = append(fin, d.task)
			}
		}
		var err error
		if p.rows() {
			_, err = p.pool.Exec(ctx, sql, ids, idx, res, 1, p.sink)
		} else {
			q := `INSERT INTO step_log(task_id, idx, attempt, owner, started_at, finished_at, result)
			  SELECT task_id, idx, 1, 1, now(), now(), result::json FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS d(task_id, idx, result)`
			if len(fin) > 0 {
				_, err = p.pool.Exec(ctx, `WITH i AS (`+q+`) UPDATE tasks SET state = 3, finished_at = now() WHERE id = ANY($4) AND owner = 1 AND state = 2`, ids, idx, res, fin)
			} else {
				_, err = p.pool.Exec(ctx, q, ids, idx, res)
			}
		}
		if err != nil {
			if ctx.Err() == nil && !harness.Ending.Load() {
				log.Fatal("commit: ", err)
			}
			return
		}
		p.batches.Add(1)
		p.batched.Add(int64(len(b)))
		if p.c.Variant == "claim" {
			p.held.Add(-int64(len(b)))
			p.poke()
		} else {
			for _, d := range b {
				p.advance(d)
			}
		}
		for _, id := range fin {
			p.finished.Add(1)
			if p.c.Variant != "claim" {
				p.tasks.Delete(id)
				if p.held.Add(-1) < int64(*window/2) {
					p.poke()
				}
			}
			if w, ok := p.waiters.LoadAndDelete(id); ok {
				close(w.(chan struct{}))
			}
		}
	}
}

// advance runs after the commit of d: it hands the released children, already leased to this process, to the workers.
func (p *peer) advance(d doneItem) {
	v, ok := p.tasks.Load(d.task)
	if !ok {
		return
	}
	l := v.(*local)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results[d.idx] = d.out
	for _, c := range p.children[d.idx] {
		if l.left[c]--; l.left[c] == 0 {
			it := item{task: d.task, idx: c}
			for _, j := range p.deps[c] {
				it.in = append(it.in, l.results[j])
			}
			p.work <- it
		}
	}
}

func (p *peer) WaitAll(ctx context.Context, n int) error {
	return harness.Poll(ctx, n, 5*time.Millisecond, func() (int, error) { return int(p.finished.Load()), nil })
}

// Verify checks what the database holds: every step done once, every task done, the right final result.
func (p *peer) Verify(ctx context.Context, n int) error {
	var steps, tasks, right int
	q := `SELECT (SELECT count(*) FROM steps WHERE state = 3), (SELECT count(*) FROM tasks WHERE state = 3), (SELECT count(*) FROM steps WHERE idx = $1 AND (result->>'sum')::int = $2)`
	if !p.rows() {
		q = `SELECT (SELECT count(*) FROM step_log), (SELECT count(*) FROM tasks WHERE state = 3), (SELECT count(*) FROM step_log WHERE idx = $1 AND (result->>'sum')::int = $2)`
	}
	if err := p.pool.QueryRow(ctx, q, p.sink, len(p.deps)).Scan(&steps, &tasks, &right); err != nil {
		return err
	}
	if steps != n*len(p.deps) || tasks != n || right != n {
		return fmt.Errorf("wrong: %d steps, %d tasks, %d right results of %d tasks", steps, tasks, right, n)
	}
	log.Printf("pgfloor %s %s: %.1f steps in a batch", p.c.Variant, p.c.Workload, float64(p.batched.Load())/float64(p.batches.Load()))
	return nil
}

func (p *peer) SubmitOne(ctx context.Context, id int) (harness.Handle, error) {
	ch := make(chan struct{})
	p.waiters.Store(int64(id), ch)
	if err := p.submit(ctx, []int64{int64(id)}); err != nil {
		return nil, err
	}
	return harness.HandleFunc(func(ctx context.Context) error {
		select {
		case <-ch:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}), nil
}

func (p *peer) Stop(ctx context.Context) { p.cancel() }

func main() {
	p := &peer{}
	harness.Run("pgfloor", harness.Flags(), p, harness.Postgres)
}
