package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Append implements [tasker.Store].
func (s *Store) Append(ctx context.Context, appends []tasker.Append) (answers []tasker.Appended, err error) {
	if len(appends) == 0 {
		return nil, ctx.Err()
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var hints []tasker.Hint
	if !hasChildren(appends) {
		answers, hints, err = s.append(ctx, s.pool, appends)
	} else {
		for i := range appends {
			if err := s.checkTemplates(ctx, appends[i].Children); err != nil {
				return nil, fmt.Errorf("append to task %s: %w", appends[i].Task, err)
			}
		}
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			answers, hints, err = s.append(ctx, tx, appends)
			return err
		})
	}
	if err != nil {
		return nil, s.told("append", err)
	}
	s.ears.tell(hints...)
	return answers, nil
}

func hasChildren(appends []tasker.Append) bool {
	for i := range appends {
		if len(appends[i].Children) > 0 {
			return true
		}
	}
	return false
}

// database is a pool or a transaction.
type database interface {
	querier
	queryer
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// append stores appends, and their children if there are any: then db must be
// a transaction.
func (s *Store) append(ctx context.Context, db database, appends []tasker.Append) ([]tasker.Appended, []tasker.Hint, error) {
	if len(appends) == 1 && appends[0].Change == tasker.KeepRow && !appends[0].Poke && len(appends[0].Record.Events) > 0 && len(appends[0].Children) == 0 && len(appends[0].Events) == 0 {
		answer, err := s.appendOne(ctx, db, &appends[0])
		return []tasker.Appended{answer}, nil, err
	}
	answers, hints, err := s.appendAll(ctx, db, appends)
	if err != nil {
		return nil, nil, err
	}
	for i := range appends {
		if children := appends[i].Children; len(children) > 0 && answers[i].Stored {
			if _, err := s.insert(ctx, db, children); err != nil {
				return nil, nil, err
			}
			hints = append(hints, tasker.Hint{Kind: tasker.HintWork})
		}
	}
	return answers, hints, nil
}

// appendAll stores the records, then does what goes with those that were not
// refused. It is one round trip, and one transaction.
func (s *Store) appendAll(ctx context.Context, db database, appends []tasker.Append) ([]tasker.Appended, []tasker.Hint, error) {
	order := inOrder(appends)
	r := recordsOf(appends, order)
	ends, changes := changesOf(appends, order)
	published, err := eventsOf(appends, order)
	if err != nil {
		return nil, nil, err
	}
	batch := &pgx.Batch{}
	limits := limitsOf(appends, order)
	if limits != nil {
		batch.Queue(s.sql["know_namespaces"], r.tasks.array(), limits)
		batch.Queue(s.sql["lock_namespaces"], r.tasks.array(), limits)
		batch.Queue(s.sql["append_limited"], r.tasks.array(), r.afters, r.ids.array(), r.writers.array(), r.events, r.changes, limits)
	} else {
		batch.Queue(s.sql["append"], r.tasks.array(), r.afters, r.ids.array(), r.writers.array(), r.events, r.changes)
	}
	if len(ends.from) > 0 {
		batch.Queue(s.sql["finish_rows"], ends.tasks.array(), ends.afters, ends.ids.array(), ends.states, ends.pokes)
	}
	if c := changes; len(c.from) > 0 {
		batch.Queue(s.sql["change_rows"], c.tasks.array(), c.afters, c.ids.array(), c.writers.array(), c.changes, c.states, c.wakeIns, c.ifPokes, c.pokes, c.awaits)
	}
	if p := published; len(p.names) > 0 {
		batch.Queue(s.sql["publish"], p.tasks.array(), p.afters, p.ids.array(), p.ns, p.names, p.json)
	}
	reply := db.SendBatch(ctx, batch)
	defer reply.Close()
	answers := make([]tasker.Appended, len(appends))
	for range 2 * min(1, len(limits)) { // the namespaces are known, and locked
		if _, err = reply.Exec(); err != nil {
			return nil, nil, err
		}
	}
	err = readStored(reply, appends, order, answers)
	var hints []tasker.Hint
	if err == nil && len(ends.from) > 0 {
		hints, err = readFinished(reply, appends, ends.from)
	}
	if err == nil && len(changes.from) > 0 {
		hints, err = readChanged(reply, appends, changes.from, answers, hints)
	}
	if err == nil && len(published.names) > 0 {
		_, err = reply.Exec()
		hints = append(hints, tasker.Hint{Kind: tasker.HintEvents})
	}
	if err != nil {
		return nil, nil, err
	}
	return answers, hints, reply.Close()
}

// limitsOf gives the limits of claims, for each record in order, 0 for none;
// nil when no claim has one.
func limitsOf(appends []tasker.Append, order []int) (limits []int32) {
	limited := false
	for _, i := range order {
		a := &appends[i]
		if len(a.Record.Events) == 0 {
			continue
		}
		limit := 0
		if a.Change == tasker.OwnRow && a.Limit > 0 {
			limit, limited = a.Limit, true
		}
		limits = append(limits, int32(min(limit, math.MaxInt32)))
	}
	if !limited {
		return nil
	}
	return limits
}

// inOrder gives the appends sorted by task, which those of a worker are.
func inOrder(appends []tasker.Append) []int {
	order := make([]int, len(appends))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(appends[a].Task[:], appends[b].Task[:]) })
	return order
}

func (s *Store) appendOne(ctx context.Context, db database, a *tasker.Append) (answer tasker.Appended, err error) {
	r := &a.Record
	err = db.QueryRow(ctx, s.sql["append_one"], uuid(a.Task), a.After, uuid(r.ID), uuid(r.Writer),
		string(tasker.AppendEvents(nil, r.Events))).Scan(&answer.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return answer, nil
	}
	answer.Stored = err == nil
	return answer, err
}

// recordColumns are the records of append.sql, a column a parameter.
type recordColumns struct {
	tasks, ids, writers ids
	afters              []int32
	events              []string
	changes             []int16
}

// texts are buffers that have grown to what a flush needs.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// recordsOf gives the records of appends in an order. Their texts are parts of
// one large one, since this is done for every step.
func recordsOf(appends []tasker.Append, order []int) *recordColumns {
	n := len(appends)
	r := &recordColumns{
		tasks: newIDs(n), ids: newIDs(n), writers: newIDs(n),
		afters: make([]int32, 0, n), events: make([]string, 0, n), changes: make([]int16, 0, n),
	}
	buffer := texts.Get().(*[]byte)
	defer texts.Put(buffer)
	text := (*buffer)[:0]
	ends := make([]int, 0, n)
	for _, i := range order {
		a := &appends[i]
		if len(a.Record.Events) == 0 {
			continue
		}
		r.tasks.add(uuid(a.Task))
		r.ids.add(uuid(a.Record.ID))
		r.writers.add(uuid(a.Record.Writer))
		r.afters, r.changes = append(r.afters, int32(a.After)), append(r.changes, int16(a.Change))
		text = tasker.AppendEvents(text, a.Record.Events)
		ends = append(ends, len(text))
	}
	*buffer = text
	whole, from := string(text), 0
	for _, end := range ends {
		r.events = append(r.events, whole[from:end])
		from = end
	}
	return r
}

// changeColumns are the changes of finish_rows.sql and change_rows.sql,
// likewise.
type changeColumns struct {
	from                []int // which append each is of
	tasks, ids, writers ids
	afters              []int32
	changes             []int16
	states              []string
	wakeIns, ifPokes    []int64
	pokes               []bool
	awaits              []string // each an array, "" for none
}

// changesOf gives what happens to rows: tasks that end, and the rest.
func changesOf(appends []tasker.Append, order []int) (ends, rest changeColumns) {
	for _, i := range order {
		switch a := &appends[i]; {
		case a.Change == tasker.FinishRow:
			ends.add(a, i)
		case a.Change != tasker.KeepRow || a.Poke:
			rest.add(a, i)
		}
	}
	return ends, rest
}

func (c *changeColumns) add(a *tasker.Append, from int) {
	id := uuid(a.Record.ID)
	id.Valid = len(a.Record.Events) > 0
	wakeIn := int64(-1)
	if a.WakeIn >= 0 {
		wakeIn = a.WakeIn.Microseconds()
	}
	c.from = append(c.from, from)
	c.tasks.add(uuid(a.Task))
	c.ids.add(id)
	c.writers.add(uuid(a.Record.Writer))
	c.afters, c.changes, c.states = append(c.afters, int32(a.After)), append(c.changes, int16(a.Change)), append(c.states, a.State.String())
	c.wakeIns, c.ifPokes, c.pokes = append(c.wakeIns, wakeIn), append(c.ifPokes, a.IfPoke), append(c.pokes, a.Poke)
	c.awaits = append(c.awaits, arrayOf(a.Awaits))
}

// arrayOf spells ids as an array of PostgreSQL, since an array of arrays would
// want them all of one length.
func arrayOf(ids []tasker.ID) string {
	if len(ids) == 0 {
		return ""
	}
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return "{" + strings.Join(all, ",") + "}"
}

// readStored reads which records were stored. They come in the order of their
// tasks, as order has them.
func readStored(reply pgx.BatchResults, appends []tasker.Append, order []int, answers []tasker.Appended) error {
	rows, err := reply.Query()
	if err != nil {
		return err
	}
	var task pgtype.UUID
	var at time.Time
	targets := []any{&task, &at}
	return eachRow(rows, func(r pgx.Rows) error {
		if err := r.Scan(targets...); err != nil {
			return err
		}
		for len(order) > 0 && appends[order[0]].Task != task.Bytes {
			order = order[1:]
		}
		if len(order) == 0 {
			return fmt.Errorf("a record of task %s was stored out of order", tasker.ID(task.Bytes))
		}
		answers[order[0]] = tasker.Appended{Stored: true, At: at}
		return nil
	})
}

// readFinished reads which tasks ended and which parents were poked, and gives
// the hints that follow.
func readFinished(reply pgx.BatchResults, appends []tasker.Append, from []int) (hints []tasker.Hint, err error) {
	rows, err := reply.Query()
	if err != nil {
		return nil, err
	}
	var n *int
	var parent pgtype.UUID
	var owned bool
	err = eachRow(rows, func(r pgx.Rows) error {
		if err := r.Scan(&n, &parent, &owned); err != nil {
			return err
		}
		switch {
		case n == nil && owned:
			hints = append(hints, tasker.Hint{Kind: tasker.HintPoke, Task: parent.Bytes})
		case n == nil:
			hints = append(hints, tasker.Hint{Kind: tasker.HintWork})
		default:
			a := &appends[from[*n-1]]
			hints = append(hints, tasker.Hint{Kind: tasker.HintEnd, Task: a.Task})
			if a.Poke {
				hints = append(hints, tasker.Hint{Kind: tasker.HintPoke, Task: a.Task})
			}
		}
		return nil
	})
	return hints, err
}

// readChanged reads what became of the other rows.
func readChanged(reply pgx.BatchResults, appends []tasker.Append, from []int, answers []tasker.Appended, hints []tasker.Hint) ([]tasker.Hint, error) {
	rows, err := reply.Query()
	if err != nil {
		return nil, err
	}
	var n int
	var at time.Time
	var released, owned bool
	err = eachRow(rows, func(r pgx.Rows) error {
		if err := r.Scan(&n, &at, &released, &owned); err != nil {
			return err
		}
		i := from[n-1]
		if a := &answers[i]; !a.Stored {
			*a = tasker.Appended{Stored: true, At: at} // it had no record
		}
		answers[i].Released = released
		a := &appends[i]
		steered := a.Change == tasker.SteerRow && !owned
		if released || steered {
			hints = append(hints, tasker.Hint{Kind: tasker.HintEnd, Task: a.Task})
		}
		switch {
		case a.Poke && owned:
			hints = append(hints, tasker.Hint{Kind: tasker.HintPoke, Task: a.Task})
		case a.Poke && !steered, (released || steered) && a.WakeIn >= 0:
			hints = append(hints, tasker.Hint{Kind: tasker.HintWork})
		}
		return nil
	})
	return hints, err
}
