package post

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// runs are the runs of every post on a database. Each gives a sign of life, a
// beat, four times in the length of a lease. One that has not been reported
// and gives none is dead, and the same command goes on with it.
//
// All times are the database's, so that the clocks of processes need not
// agree.
type runs struct {
	pool  *pgxpool.Pool
	lease time.Duration
}

// command is what two runs have in common when one may go on with the other.
type command struct {
	post        string
	task        string // namespace/name@version
	template    string // the hash of its text
	environment string
	input       string // the hash of the task's context
	tasks       int
}

// trace is what is known of a run that is not over.
type trace struct {
	tag       string
	startedAt time.Time
	beatAt    *time.Time    // nil when its process has let go of it
	silent    time.Duration // since the last beat
}

// life is a run for as long as this process works on it.
type life struct {
	tag       string
	began     time.Time     // when this process took it, by the database's clock
	ago       time.Duration // since it was begun; 0 for a new run
	resumed   bool
	gaveUp    bool // the process before has let go of it, instead of dying
	runs      *runs
	stop      func()
	beatsDone chan struct{}
}

//go:embed tables.sql
var tables string

// openRuns makes the tables if they are missing. Many processes may do this
// at once: the lock lets one at a time, and ends with the transaction.
func openRuns(ctx context.Context, pool *pgxpool.Pool, lease time.Duration) (*runs, error) {
	r := &runs{pool, lease}
	var there bool
	if err := pool.QueryRow(ctx, "select to_regclass('tasker_posts.worlds') is not null").Scan(&there); err != nil || there {
		return r, err
	}
	return r, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtextextended('tasker_posts', 0))"); err != nil {
			return err
		}
		// Looked up in the catalog's tables: what "if not exists" goes by need
		// not know what was committed while this transaction waited.
		const find = "select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'tasker_posts' and c.relname = 'worlds')"
		if err := tx.QueryRow(ctx, find).Scan(&there); err != nil || there {
			return err
		}
		_, err := tx.Conn().PgConn().Exec(ctx, tables).ReadAll() // many statements at once
		return err
	})
}

// begin goes on with a dead run of the same command, or begins a new one
// under tag. It may have to wait to know which, at most for a lease; then it
// says so.
func (r *runs) begin(ctx context.Context, c command, tag string, say func(string, ...any)) (*life, error) {
	l, err := r.takeOver(ctx, c, say)
	if err != nil {
		return nil, err
	}
	if l == nil {
		l = &life{tag: tag}
		const statement = `
insert into tasker_posts.runs (tag, post, task, template, environment, input, tasks, beat_at)
values ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::int, clock_timestamp())
returning started_at`
		err := r.call(ctx, func(ctx context.Context) error {
			return r.pool.QueryRow(ctx, statement, tag, c.post, c.task, c.template, c.environment, c.input, c.tasks).Scan(&l.began)
		})
		if err != nil {
			return nil, fmt.Errorf("begin a run: %w", err)
		}
	}
	l.runs = r
	l.live()
	return l, nil
}

// watchEvery is how often a run is looked at that may be dead.
const watchEvery = 50 * time.Millisecond

// takeOver looks for a dead run of the same command and takes it. One whose
// last beat is fresh is watched: until its next beat, for then it lives, or
// until the lease is over. Runs that begin meanwhile are none of ours.
func (r *runs) takeOver(ctx context.Context, c command, say func(string, ...any)) (*life, error) {
	watched, err := r.traces(ctx, c)
	for told := false; err == nil && len(watched) > 0; {
		for _, t := range watched {
			if t.beatAt != nil && t.silent <= r.lease {
				continue
			}
			l, err := r.take(ctx, t)
			if l != nil || err != nil {
				return l, err
			}
		}
		if !told {
			told = true
			t := watched[0]
			say("the same command was at work %s ago; waiting up to %s to see whether it lives, or is to be gone on with", roughly(t.silent), roughly(max(0, r.lease-t.silent)))
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		var now []trace
		now, err = r.traces(ctx, c)
		watched = slices.DeleteFunc(now, func(t trace) bool {
			return !slices.ContainsFunc(watched, func(before trace) bool { return before.tag == t.tag && !t.stirred(before) })
		})
	}
	if err != nil {
		return nil, fmt.Errorf("look for a run to go on with: %w", err)
	}
	return nil, nil
}

// stirred says that there was a beat since.
func (t trace) stirred(before trace) bool {
	return t.beatAt != nil && (before.beatAt == nil || t.beatAt.After(*before.beatAt))
}

// traces gives the runs of a command that are not over, the newest first.
func (r *runs) traces(ctx context.Context, c command) (all []trace, err error) {
	const statement = `
select tag, started_at, beat_at,
       coalesce((extract(epoch from clock_timestamp() - beat_at) * 1e6)::bigint, 0)
  from tasker_posts.runs
 where post = $1::text and task = $2::text and template = $3::text and environment = $4::text and input = $5::text and tasks = $6::int
   and over_at is null
 order by started_at desc`
	err = r.call(ctx, func(ctx context.Context) error {
		rows, err := r.pool.Query(ctx, statement, c.post, c.task, c.template, c.environment, c.input, c.tasks)
		if err != nil {
			return err
		}
		var t trace
		var micros int64
		_, err = pgx.ForEachRow(rows, []any{&t.tag, &t.startedAt, &t.beatAt, &micros}, func() error {
			t.silent = time.Duration(micros) * time.Microsecond
			all = append(all, t)
			t = trace{}
			return nil
		})
		return err
	})
	return all, err
}

// take makes a run ours if it is still dead. It is one statement, so of two
// processes that try one succeeds: the other finds a fresh beat.
func (r *runs) take(ctx context.Context, t trace) (*life, error) {
	const statement = `
update tasker_posts.runs set beat_at = clock_timestamp()
 where tag = $1::text and over_at is null
   and (beat_at is null or beat_at < clock_timestamp() - $2::bigint * interval '1 microsecond')
returning beat_at`
	l := &life{tag: t.tag, resumed: true, gaveUp: t.beatAt == nil}
	err := r.call(ctx, func(ctx context.Context) error {
		rows, err := r.pool.Query(ctx, statement, t.tag, r.lease.Microseconds())
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, []any{&l.began}, func() error { return nil })
		return err
	})
	if err != nil || l.began.IsZero() {
		return nil, err
	}
	l.ago = l.began.Sub(t.startedAt)
	return l, nil
}

// live beats until end.
func (l *life) live() {
	ctx, cancel := context.WithCancel(context.Background())
	l.beatsDone = make(chan struct{})
	l.stop = sync.OnceFunc(func() { cancel(); <-l.beatsDone })
	pool, every := l.runs.pool, l.runs.lease/4
	go func() {
		defer close(l.beatsDone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			beat, cancel := context.WithTimeout(ctx, every)
			// One that is missed is made good by the next.
			_, _ = pool.Exec(beat, "update tasker_posts.runs set beat_at = clock_timestamp() where tag = $1::text", l.tag)
			cancel()
		}
	}()
}

// What becomes of a run when its process ends.
const (
	runOver   = "update tasker_posts.runs set over_at = clock_timestamp() where tag = $1::text"
	runLetGo  = "update tasker_posts.runs set beat_at = null where tag = $1::text"
	runUndone = "delete from tasker_posts.runs where tag = $1::text" // with its world
)

// end says what becomes of the run. Only the first call counts.
func (l *life) end(fate string) error {
	if l.runs == nil {
		return nil
	}
	r := l.runs
	l.runs = nil
	l.stop()
	err := r.call(context.Background(), func(ctx context.Context) error {
		_, err := r.pool.Exec(ctx, fate, l.tag)
		return err
	})
	if err != nil {
		return fmt.Errorf("end the run: %w", err)
	}
	return nil
}

func (r *runs) call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return f(ctx)
}
