package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Submits gather while others are under way and go out in one statement, so
// that a thousand callers do not pay for a thousand transactions. While one
// waits for its commit, a second may be made.
const (
	maxSubmits     = 2       // statements under way
	maxSubmit      = 256     // tasks, unless one call alone has more
	maxSubmitBytes = 4 << 20 // of their records
)

// submits are the calls that wait for their turn.
type submits struct {
	mu      sync.Mutex
	waiting []*submit
	busy    int // statements under way
	running sync.WaitGroup
}

// submit is one call.
type submit struct {
	ctx   context.Context // of who waits for it
	tasks []tasker.NewTask
	size  int
	rows  []tasker.Row
	err   error
	done  chan struct{}
}

func (s *submits) wait() { s.running.Wait() }

// Submit implements [tasker.Store]. With the context of a transactional step
// the tasks are stored in its transaction.
func (s *Store) Submit(ctx context.Context, tasks []tasker.NewTask) ([]tasker.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.checkTemplates(ctx, tasks); err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	if t := transactionOf(ctx); t != nil {
		t.submitted = true
		rows, err := s.insert(ctx, t.tx, tasks)
		return rows, s.told("submit", err)
	}
	call := &submit{ctx: ctx, tasks: tasks, size: sizeOf(tasks), done: make(chan struct{})}
	s.enqueue(call)
	select {
	case <-call.done:
		return call.rows, call.err
	case <-ctx.Done():
		return nil, fmt.Errorf("submit: it is not known whether the tasks were stored: %w", context.Cause(ctx))
	}
}

func (s *Store) checkTemplates(ctx context.Context, tasks []tasker.NewTask) error {
	hashes := make([]string, len(tasks))
	for i := range tasks {
		hashes[i] = tasks[i].Row.Hash
	}
	_, err := s.numbers(ctx, hashes)
	return err
}

func sizeOf(tasks []tasker.NewTask) int {
	n := 0
	for i := range tasks {
		for _, e := range tasks[i].Record.Events {
			n += len(e.Context)
		}
	}
	return n
}

func (s *Store) enqueue(call *submit) {
	s.submits.mu.Lock()
	defer s.submits.mu.Unlock()
	s.submits.waiting = append(s.submits.waiting, call)
	if s.submits.busy < maxSubmits {
		s.submits.busy++
		s.submits.running.Go(s.storeSubmits)
	}
}

// storeSubmits stores what waits, and what comes meanwhile.
func (s *Store) storeSubmits() {
	for {
		calls := s.submits.take()
		if len(calls) == 0 {
			return
		}
		s.storeTogether(calls)
		s.ears.tell(tasker.Hint{Kind: tasker.HintWork})
		for _, call := range calls {
			close(call.done)
		}
		runtime.Gosched() // those who were answered may have more for the next statement
	}
}

// take gives as many waiting calls as one statement takes; none ends the work.
// Those that nobody waits for any more are let go: what was given up during an
// outage does not happen long after it.
func (s *submits) take() []*submit {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(call *submit) bool { return call.ctx.Err() != nil })
	n, tasks, size := 0, 0, 0
	for _, call := range s.waiting {
		if n > 0 && (tasks+len(call.tasks) > maxSubmit || size+call.size > maxSubmitBytes) {
			break
		}
		n, tasks, size = n+1, tasks+len(call.tasks), size+call.size
	}
	calls := slices.Clone(s.waiting[:n])
	s.waiting = slices.Delete(s.waiting, 0, n)
	if n == 0 {
		s.busy--
	}
	return calls
}

// storeTogether stores calls in one statement. When the database refuses what
// one of them brings, the others must not suffer for it.
func (s *Store) storeTogether(calls []*submit) {
	var tasks []tasker.NewTask
	for _, call := range calls {
		tasks = append(tasks, call.tasks...)
	}
	rows, err := s.store(tasks)
	if err != nil && len(calls) > 1 && isRefusal(err) {
		for _, call := range calls {
			s.storeTogether([]*submit{call})
		}
		return
	}
	for _, call := range calls {
		if call.err = s.told("submit", err); err == nil {
			call.rows, rows = rows[:len(call.tasks)], rows[len(call.tasks):]
		}
	}
}

// store stores tasks. A submit may be repeated, so a lost connection or a
// deadlock costs time only.
func (s *Store) store(tasks []tasker.NewTask) (rows []tasker.Row, err error) {
	ctx, cancel := s.bounded(context.Background())
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		rows, err = s.insert(ctx, s.pool, tasks)
		if err == nil || isRefusal(err) {
			return rows, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// isRefusal says that the database will say no again: what is asked is wrong,
// or may not be done.
func isRefusal(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code[:2] {
	case "08", "40", "53", "55", "57", "58": // the connection, a deadlock, resources, locks, a shutdown, the system
		return false
	default:
		return answer.Code != readOnly
	}
}

// insert stores those tasks that are not there yet, and gives the rows of all
// as they stand.
func (s *Store) insert(ctx context.Context, db database, tasks []tasker.NewTask) ([]tasker.Row, error) {
	rows := make([]tasker.Row, len(tasks))
	open := make([]int, len(tasks)) // those without an answer
	for i := range open {
		open[i] = i
	}
	slices.SortStableFunc(open, func(a, b int) int { return compareIdentities(&tasks[a].Row, &tasks[b].Row) })
	for try := 0; len(open) > 0; try++ {
		if try == maxTries {
			return nil, fmt.Errorf("task %s: its identity changes hands too fast", tasks[open[0]].Row.ID)
		}
		created, err := s.insertNew(ctx, db, tasks, open)
		if err != nil {
			return nil, err
		}
		open = slices.DeleteFunc(open, func(i int) bool {
			at, stored := created[tasks[i].Row.ID]
			if stored {
				rows[i] = tasks[i].Row
				rows[i].State, rows[i].CreatedAt, rows[i].WakeAt = tasker.TaskPending, at, at
			}
			return stored
		})
		if open, err = s.readHolders(ctx, db, tasks, open, rows); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// maxTries bounds how often an identity is looked for that was held by one
// task, then by none, then by the next.
const maxTries = 10

// compareIdentities orders tasks so that two submits of the same identities
// wait for each other instead of locking each other out.
func compareIdentities(a, b *tasker.Row) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Identity, b.Identity))
}

// insertNew stores the open tasks that may be, and tells when each was.
func (s *Store) insertNew(ctx context.Context, db database, tasks []tasker.NewTask, open []int) (map[tasker.ID]time.Time, error) {
	c := &taskColumns{}
	var free [3][]string
	added := make(map[tasker.ID]bool, len(open))
	for _, i := range open {
		row := &tasks[i].Row
		if added[row.ID] {
			continue
		}
		added[row.ID] = true
		c.add(&tasks[i])
		if row.RetryEnded && row.Identity != "" {
			free[0], free[1], free[2] = append(free[0], row.Namespace), append(free[1], row.Name), append(free[2], row.Identity)
		}
	}
	batch := &pgx.Batch{}
	if len(free[0]) > 0 {
		batch.Queue(s.sql["free_identities"], free[0], free[1], free[2])
	}
	batch.Queue(s.sql["submit"], c.ids.array(), c.hashes, c.environments, c.namespaces, c.names, c.priorities, c.parents.array(), c.roots.array(),
		c.correlationIDs, c.tags, c.identities, c.retryEnded, c.inputHashes, c.records.array(), c.events)
	answers := db.SendBatch(ctx, batch)
	defer answers.Close()
	if len(free[0]) > 0 {
		if _, err := answers.Exec(); err != nil {
			return nil, err
		}
	}
	found, err := answers.Query()
	if err != nil {
		return nil, err
	}
	created := make(map[tasker.ID]time.Time, len(open))
	err = eachRow(found, func(r pgx.Rows) error {
		var id pgtype.UUID
		var at time.Time
		err := r.Scan(&id, &at)
		created[id.Bytes] = at
		return err
	})
	if err != nil {
		return nil, err
	}
	return created, answers.Close()
}

// taskColumns are the tasks of a submit, a column a parameter. Empty texts of
// columns that may be null stand for that.
type taskColumns struct {
	ids, parents, roots, records            ids
	hashes, environments, namespaces, names []string
	tags, inputHashes, events               []string
	correlationIDs, identities              []string
	priorities                              []int32
	retryEnded                              []bool
}

func (c *taskColumns) add(t *tasker.NewTask) {
	row := &t.Row
	c.ids.add(uuid(row.ID))
	c.records.add(uuid(t.Record.ID))
	c.parents.add(uuid(row.Parent))
	root := uuid(row.Root)
	root.Valid = root.Valid && row.Root != row.ID
	c.roots.add(root)
	correlation := row.CorrelationID
	if correlation == row.ID.String() {
		correlation = ""
	}
	c.correlationIDs, c.identities = append(c.correlationIDs, correlation), append(c.identities, row.Identity)
	c.hashes, c.environments = append(c.hashes, row.Hash), append(c.environments, row.Environment)
	c.namespaces, c.names = append(c.namespaces, row.Namespace), append(c.names, row.Name)
	c.tags, c.inputHashes = append(c.tags, row.Tag), append(c.inputHashes, row.InputHash)
	c.priorities = append(c.priorities, int32(row.Priority))
	c.retryEnded = append(c.retryEnded, row.RetryEnded)
	c.events = append(c.events, string(tasker.AppendEvents(nil, t.Record.Events)))
}

// readHolders fills in the rows that kept tasks from being stored. It gives
// those for which there is none any more.
func (s *Store) readHolders(ctx context.Context, db database, tasks []tasker.NewTask, open []int, into []tasker.Row) ([]int, error) {
	if len(open) == 0 {
		return nil, nil
	}
	c := &taskColumns{}
	for _, i := range open {
		c.add(&tasks[i])
	}
	found, err := db.Query(ctx, s.sql["read_submitted"], c.ids.array(), c.namespaces, c.names, c.identities)
	if err != nil {
		return nil, err
	}
	var holders rows
	var of []int // which of the open tasks each stands in the way of
	err = eachRow(found, func(r pgx.Rows) error {
		var target rowTarget
		var n int
		if err := r.Scan(target.columns(&n)...); err != nil {
			return err
		}
		of = append(of, n-1)
		return holders.add(&target)
	})
	if err == nil {
		err = s.nameTemplates(ctx, db, &holders)
	}
	answered := make([]bool, len(open))
	for i, n := range of {
		if !answered[n] { // the first is the task itself, if it is there
			answered[n], into[open[n]] = true, holders.read[i]
		}
	}
	var left []int
	for n, i := range open {
		if !answered[n] {
			left = append(left, i)
		}
	}
	return left, err
}
