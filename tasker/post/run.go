package post

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// run is one run of a post, as far as this process has a part in it.
type run struct {
	post    Post
	options *options
	stdout  *output
	stderr  io.Writer

	where    string // the database's URL, where another command can use it after this one
	life     *life
	world    *World
	engine   *tasker.Engine
	timeline *timeline

	crashed     bool // it has had its crash
	interrupted bool // it ended before its tasks did
}

// execute opens the database, begins a run or goes on with a dead one, and
// says what becomes of it.
func (r *run) execute(ctx context.Context) (report *Report, err error) {
	report = &Report{Tasks: []*tasker.Task{}}
	db, err := openDatabase(ctx, r.options, r.say)
	if err != nil {
		return report, err
	}
	defer db.close()
	r.where = db.lasting
	if err := r.begin(ctx, db); err != nil {
		return report, err
	}
	defer func() {
		if late := r.life.end(r.fate(ctx, report, err)); late != nil {
			r.say("%s", oneLine(late)) // the tasks are what they are
		}
	}()
	return report, r.perform(ctx, db.store, report)
}

// begin takes hold of a run, and of the world that belongs to it.
func (r *run) begin(ctx context.Context, db *database) (err error) {
	o := r.options
	r.world = NewWorld()
	r.world.flags = o.own
	if db.runs == nil {
		r.life = &life{tag: rand.Text(), began: time.Now()}
		return nil
	}
	environment := cmp.Or(o.environment, "development")
	same := command{r.post.Name, o.task.String(), o.task.Hash(), environment, hashOf(o.input) + o.key, o.n}
	if r.life, err = db.runs.begin(ctx, same, rand.Text(), r.say); err != nil {
		return err
	}
	r.world.disk = &disk{pool: db.runs.pool, tag: r.life.tag}
	if r.life.resumed {
		if r.world.disk.found, err = r.world.disk.readAll(ctx); err != nil {
			return errors.Join(fmt.Errorf("read the world of the run: %w", err), r.life.end(runLetGo))
		}
	}
	return nil
}

// fate is what becomes of the run: it is over once all its tasks have ended
// and been reported. One that was refused leaves nothing behind, and any other
// is left for the same command: one that was interrupted, or that waits for a
// person.
func (r *run) fate(ctx context.Context, report *Report, err error) string {
	switch {
	case report.Rejected != nil:
		return runUndone
	case err == nil && report.ended():
		return runOver
	default:
		return runLetGo
	}
}

// perform runs the tasks until nothing moves any more, and reports.
func (r *run) perform(ctx context.Context, store tasker.Store, report *Report) error {
	o := r.options
	r.timeline = newTimeline(r.stdout, o, r.life.began)
	r.world.tell = r.timeline.tell
	defer r.world.end()
	config := tasker.Config{
		Store: store, Templates: o.templates, Handlers: r.post.Handlers(r.world),
		Environment: o.environment, Lease: lease, Tag: r.life.tag,
		Middleware: []tasker.Middleware{newFaults(o, r.crashIn).middleware},
		Observe:    r.observe,
		Logger:     slog.New(slog.NewTextHandler(r.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if r.post.Configure != nil {
		r.post.Configure(r.world, &config)
	}
	engine, err := tasker.New(config)
	if err != nil {
		return err
	}
	r.engine = engine
	leave, err := r.attend(ctx)
	if err != nil {
		return err
	}
	defer func() { leave(report.Tasks) }() // where the run fails before it is due
	ids, err := r.submit(ctx, store)
	if err != nil {
		var rejected *tasker.Rejected
		if errors.As(err, &rejected) {
			report.Rejected = rejection(rejected)
		}
		return err
	}
	r.timeline.start()
	defer r.timeline.close()
	tasks, err := r.work(ctx, store, ids)
	if err != nil {
		return err
	}
	report.Tasks = tasks
	leave(tasks)
	if r.post.Services != nil {
		report.Services = r.post.Services(r.world)
	}
	if r.post.Notes != nil {
		report.Notes = r.post.Notes(r.world, ids[0])
	}
	r.timeline.close()
	r.interrupted = ctx.Err() != nil
	if !o.json {
		r.summarize(report)
	}
	return nil
}

// attend lets the post have the engine; leave does something the first time.
func (r *run) attend(ctx context.Context) (leave func([]*tasker.Task), err error) {
	attended := func([]*tasker.Task) {}
	if r.post.Attend != nil {
		theirs, err := r.post.Attend(ctx, r.world, r.engine)
		if err != nil {
			return nil, err
		}
		if theirs != nil {
			attended = theirs
		}
	}
	var once sync.Once
	return func(tasks []*tasker.Task) { once.Do(func() { attended(tasks) }) }, nil
}

// submit gives the tasks of the run: those that are there already, and then
// as many as are missing.
func (r *run) submit(ctx context.Context, store tasker.Store) (ids []tasker.ID, err error) {
	o := r.options
	if r.life.resumed {
		if ids, err = r.lookBack(ctx, store); err != nil {
			return nil, err
		}
	}
	requests := make([]tasker.Request, max(0, o.n-len(ids)))
	if len(requests) == 0 {
		return ids, nil
	}
	for i := range requests {
		requests[i] = tasker.Request{
			Namespace: o.task.Namespace, Name: o.task.Name, Version: o.task.Version,
			Context: o.input, Tag: r.life.tag, CorrelationID: correlationOf(o.input),
		}
		if o.key != "" {
			requests[i].IdempotencyKey = r.life.tag + "/" + o.key // the world is this run's, and so is the key
		}
	}
	submissions, err := r.engine.SubmitAll(ctx, requests)
	for _, s := range submissions {
		if s.Existing {
			r.timeline.tell(o.task.Name, "submitted again with the same key: it is the same task")
		}
		if !slices.Contains(ids[max(0, len(ids)-1):], s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids, err
}

// correlationOf finds the correlation id that the input brings along; "" where
// it has none of a form that a task can have.
func correlationOf(input json.RawMessage) string {
	var about struct {
		CorrelationID string `json:"correlation_id"`
	}
	if json.Unmarshal(input, &about) != nil || len(about.CorrelationID) > tasker.MaxKey || strings.ContainsRune(about.CorrelationID, 0) {
		return ""
	}
	return about.CorrelationID
}

// lookBack finds the tasks of a run that this process goes on with, and tells
// what was done before.
func (r *run) lookBack(ctx context.Context, store tasker.Store) (ids []tasker.ID, err error) {
	rows, err := r.rows(ctx, store)
	if err != nil {
		return nil, err
	}
	done := 0
	var all []tasker.ID // with the sub-tasks
	for i := range rows {
		all = append(all, rows[i].ID)
		if !rows[i].Parent.IsZero() {
			continue // a sub-task
		}
		ids = append(ids, rows[i].ID)
		if rows[i].State.Final() {
			done++
		}
	}
	if r.crashed, err = r.hasCrashed(ctx, all); err != nil {
		return nil, err
	}
	var only *tasker.Task
	if len(ids) == 1 {
		if only, err = r.engine.Task(ctx, ids[0]); err != nil {
			return nil, err
		}
	}
	r.timeline.lookBack(r.life, only, done, len(ids))
	return ids, nil
}

// hasCrashed says whether the step of -crash-after was completed before, or
// that of -crash-in begun: then the run has had its crash, and with many tasks
// would otherwise have one for each of them.
func (r *run) hasCrashed(ctx context.Context, ids []tasker.ID) (bool, error) {
	if r.options.crashAfter == "" && r.options.crashIn == "" {
		return false, nil
	}
	for _, id := range ids {
		task, err := r.engine.Task(ctx, id)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(task.Steps, func(s tasker.TaskStep) bool {
			return r.hasCrashedAt(faultName(s.Name, false), &s.Progress) || s.Compensation != nil && r.hasCrashedAt(faultName(s.Name, true), s.Compensation)
		}) {
			return true, nil
		}
	}
	return false, nil
}

func (r *run) hasCrashedAt(name string, p *tasker.Progress) bool {
	return name == r.options.crashAfter && p.State == tasker.StepComplete || name == r.options.crashIn && p.State != tasker.StepPending
}

// observe is told of each record that this process has stored.
func (r *run) observe(row tasker.Row, record tasker.Record) {
	r.timeline.observe(row, record)
	for i := range record.Events {
		if e := &record.Events[i]; e.Kind == tasker.Completed && faultName(e.Step, e.Undo) == r.options.crashAfter && !r.crashed {
			r.crash("%s is complete, and this process kills itself, as -crash-after asks; the same command goes on", r.options.crashAfter)
		}
	}
}

// crashIn is told that the handler of a step has returned.
func (r *run) crashIn(step string) {
	if step == r.options.crashIn && !r.crashed {
		r.crash("%s has done its work and nothing of that is recorded, and this process kills itself, as -crash-in asks; the same command goes on", step)
	}
}

// crash shows what has happened so far, then kills this process: nothing is
// cleaned up, as when the power fails.
func (r *run) crash(why, step string) {
	r.timeline.close()
	r.say(why, step)
	kill()
}

// say writes a line for the person at the terminal.
func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.stderr, "%s: %s\n", r.post.Name, fmt.Sprintf(format, args...))
}

// hashOf is the hash of a document whatever the order of its keys. What is no
// JSON is refused by the submit.
func hashOf(input json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(input))
	d.UseNumber()
	_ = d.Decode(&v)
	canonical, _ := json.Marshal(v)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
