package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tasker-systems/tasker-go/tasker"
)

// rowTarget is what the columns of a task's row are scanned into.
type rowTarget struct {
	id, parent, root, owner pgtype.UUID
	template                int32
	correlationID, identity *string
	environment, tag        string
	inputHash, state        string
	priority                int
	retryEnded              bool
	poke                    int64
	createdAt               time.Time
	wakeAt, finishedAt      *time.Time
}

// columns gives the targets in the order of rowColumns.
func (r *rowTarget) columns(more ...any) []any {
	return append([]any{&r.id, &r.parent, &r.root, &r.template, &r.environment, &r.priority, &r.correlationID, &r.tag, &r.identity,
		&r.inputHash, &r.retryEnded, &r.state, &r.owner, &r.wakeAt, &r.poke, &r.createdAt, &r.finishedAt}, more...)
}

// row gives what was scanned, but for what the template's number stands for.
// What is null in the table because it is usual is spelled out here.
func (r *rowTarget) row() (tasker.Row, error) {
	row := tasker.Row{
		ID: r.id.Bytes, Parent: idOf(r.parent), Root: idOf(r.root), Owner: idOf(r.owner),
		Environment: r.environment, Priority: r.priority, Tag: r.tag, InputHash: r.inputHash, RetryEnded: r.retryEnded,
		Poke: r.poke, CreatedAt: r.createdAt,
	}
	if !r.root.Valid {
		row.Root = row.ID
	}
	if r.correlationID != nil {
		row.CorrelationID = *r.correlationID
	} else {
		row.CorrelationID = row.ID.String()
	}
	if r.identity != nil {
		row.Identity = *r.identity
	}
	if r.wakeAt != nil {
		row.WakeAt = *r.wakeAt
	}
	if r.finishedAt != nil {
		row.FinishedAt = *r.finishedAt
	}
	if err := row.State.UnmarshalText([]byte(r.state)); err != nil {
		return row, fmt.Errorf("task %s: %w; a newer program has written it", row.ID, err)
	}
	return row, nil
}

// rows are rows that are being read, with the numbers of their templates.
type rows struct {
	read      []tasker.Row
	templates []int32
}

func (rs *rows) add(r *rowTarget) error {
	row, err := r.row()
	rs.read, rs.templates = append(rs.read, row), append(rs.templates, r.template)
	return err
}

// recordTarget is what the columns of a record are scanned into.
type recordTarget struct {
	seq        int64
	id, writer pgtype.UUID
	at         time.Time
	events     []byte
}

func (r *recordTarget) columns() []any { return []any{&r.seq, &r.id, &r.writer, &r.at, &r.events} }

func (r *recordTarget) record() (tasker.Record, error) {
	events, err := tasker.ParseEvents(r.events)
	return tasker.Record{ID: r.id.Bytes, Seq: r.seq, Writer: idOf(r.writer), At: r.at, Events: events}, err
}

func idOf(u pgtype.UUID) tasker.ID { return u.Bytes } // all zero when it is null

// uuid is null for the zero id.
func uuid(id tasker.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// logs are rows that are being read with their records.
type logs struct {
	rows
	records [][]tasker.Record
	faults  []error // why one cannot be read
}

// add takes a task's row with one of its records. They come sorted by task
// and position.
func (ls *logs) add(row *rowTarget, record *recordTarget) {
	if n := len(ls.read); n == 0 || ls.read[n-1].ID != row.id.Bytes {
		fault := ls.rows.add(row)
		ls.records, ls.faults = append(ls.records, nil), append(ls.faults, fault)
	}
	last := len(ls.read) - 1
	r, err := record.record()
	if err != nil && ls.faults[last] == nil {
		ls.faults[last] = fmt.Errorf("task %s, record %d: %w; a newer program has written it", tasker.ID(row.id.Bytes), record.seq, err)
	}
	ls.records[last] = append(ls.records[last], r)
}

// logs gives what was read, at a time.
func (ls *logs) logs(now time.Time) []tasker.Log {
	all := make([]tasker.Log, len(ls.read))
	for i := range all {
		all[i] = tasker.Log{Row: ls.read[i], Records: ls.records[i], Now: now, Fault: ls.faults[i]}
	}
	return all
}

// Load implements [tasker.Store].
func (s *Store) Load(ctx context.Context, task tasker.ID) (tasker.Log, error) {
	var found logs
	var now time.Time
	err := s.query(ctx, "load", []any{uuid(task)}, func(r pgx.Rows) error {
		var row rowTarget
		var record recordTarget
		if err := r.Scan(row.columns(append(record.columns(), &now)...)...); err != nil {
			return err
		}
		found.add(&row, &record)
		return nil
	})
	if err == nil {
		err = s.nameTemplates(ctx, s.in(ctx), &found.rows)
	}
	if err != nil {
		return tasker.Log{}, err
	}
	if len(found.read) == 0 {
		return tasker.Log{}, s.missing(ctx, task)
	}
	log := found.logs(now)[0]
	return log, log.Fault
}

// missing says why there is no log of a task.
func (s *Store) missing(ctx context.Context, task tasker.ID) error {
	why, purged := tasker.ErrNotFound, false
	err := s.query(ctx, "is_purged", []any{uuid(task)}, func(r pgx.Rows) error { return r.Scan(&purged) })
	if err != nil {
		return err
	}
	if purged {
		why = tasker.ErrPurged
	}
	return fmt.Errorf("task %s: %w", task, why)
}

// usualRows is how many rows a list has unless it says.
const usualRows = 100

// Rows implements [tasker.Store].
func (s *Store) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	text, args := s.list(&f)
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	answer, err := s.in(ctx).Query(ctx, text, args...)
	var found rows
	if err == nil {
		err = eachRow(answer, func(r pgx.Rows) error {
			var target rowTarget
			if err := r.Scan(target.columns()...); err != nil {
				return err
			}
			return found.add(&target)
		})
	}
	if err == nil {
		err = s.nameTemplates(ctx, s.in(ctx), &found)
	}
	return found.read, s.told("rows", err)
}

// list puts the conditions of a filter behind the statement, only those that
// it has: the planner cannot see through "$1 is null or …". Nor does it know
// the states of a parameter, and so which index has them.
func (s *Store) list(f *tasker.Filter) (text string, args []any) {
	var where []string
	condition := func(set bool, condition string, value any) {
		if set {
			args = append(args, value)
			where = append(where, strings.ReplaceAll(condition, "$", fmt.Sprintf("$%d", len(args))))
		}
	}
	condition(f.Namespace != "", "t.namespace = $::text", f.Namespace)
	condition(f.Name != "", "t.name = $::text", f.Name)
	condition(f.Tag != "", "t.tag = $::text", f.Tag)
	condition(f.InputHash != "", "t.input_hash = $::text", f.InputHash)
	condition(!f.Parent.IsZero(), "t.parent = $::uuid", uuid(f.Parent))
	condition(!f.Before.IsZero(), "t.id < $::uuid", uuid(f.Before))
	condition(len(f.IDs) > 0, "t.id = any($::uuid[])", uuids(f.IDs))
	condition(f.Idle > 0, s.sql["idle"], f.Idle.Microseconds())
	if f.NoWorker {
		where = append(where, s.sql["no_worker"])
	}
	if len(f.States) > 0 {
		where = append(where, "t.state in ('"+strings.Join(names(f.States), "', '")+"')")
	}
	if f.Idle > 0 || f.NoWorker || len(f.States) > 0 && !slices.ContainsFunc(f.States, tasker.TaskState.Final) {
		where = append(where, s.sql["not_ended"])
	}
	if len(where) == 0 {
		where = []string{"true"}
	}
	limit := usualRows
	if f.Limit > 0 {
		limit = min(f.Limit, tasker.MaxRows)
	}
	args = append(args, limit)
	text = s.sql["rows"] + " where " + strings.Join(where, " and ") + fmt.Sprintf("\n order by t.id desc limit $%d::int", len(args))
	return text, args
}

// ids are a parameter of type uuid[].
type ids struct{ elements []pgtype.UUID }

func newIDs(n int) ids { return ids{make([]pgtype.UUID, 0, n)} }

func (all *ids) add(id pgtype.UUID) { all.elements = append(all.elements, id) }

// array gives the parameter. It points to its elements, since pgx would
// allocate each of them otherwise.
func (all *ids) array() pgtype.Array[*pgtype.UUID] {
	a := pgtype.Array[*pgtype.UUID]{
		Elements: make([]*pgtype.UUID, len(all.elements)), Valid: true,
		Dims: []pgtype.ArrayDimension{{Length: int32(len(all.elements)), LowerBound: 1}},
	}
	for i := range all.elements {
		a.Elements[i] = &all.elements[i]
	}
	return a
}

func uuids(tasks []tasker.ID) pgtype.Array[*pgtype.UUID] {
	var all ids
	for _, id := range tasks {
		all.add(uuid(id))
	}
	return all.array()
}

func names(states []tasker.TaskState) []string {
	all := make([]string, len(states))
	for i, state := range states {
		all[i] = state.String()
	}
	return all
}

// Purge implements [tasker.Store].
func (s *Store) Purge(ctx context.Context, terms tasker.Retention, limit int) (int, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var n int
	err := s.pool.QueryRow(ctx, s.sql["purge"], terms.Tasks.Microseconds(), terms.Keys.Microseconds(), limit).Scan(&n)
	return n, s.told("purge", err)
}
