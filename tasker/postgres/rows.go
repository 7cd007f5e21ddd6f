package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tasker-systems/tasker-go/tasker"
)

// rowTarget is what the columns of a task's row are scanned into.
type rowTarget struct {
	id, parent, root, owner  pgtype.UUID
	correlationID, identity  *string
	state                    string
	wakeAt, finishedAt       *time.Time
	createdAt                time.Time
	namespace, name, version string
	hash, environment        string
	tag, inputHash           string
	priority                 int
	retryEnded               bool
	poke                     int64
}

// columns gives the targets in the order of rowColumns.
func (r *rowTarget) columns(more ...any) []any {
	return append([]any{&r.id, &r.parent, &r.root, &r.namespace, &r.name, &r.version, &r.hash, &r.environment,
		&r.priority, &r.correlationID, &r.tag, &r.identity, &r.inputHash, &r.retryEnded,
		&r.state, &r.owner, &r.wakeAt, &r.poke, &r.createdAt, &r.finishedAt}, more...)
}

// row gives what was scanned. What is null in the table because it is usual
// is spelled out here.
func (r *rowTarget) row() (tasker.Row, error) {
	row := tasker.Row{
		ID: r.id.Bytes, Parent: idOf(r.parent), Root: idOf(r.root), Owner: idOf(r.owner),
		Namespace: r.namespace, Name: r.name, Version: r.version, Hash: r.hash, Environment: r.environment,
		Priority: r.priority, Tag: r.tag, InputHash: r.inputHash, RetryEnded: r.retryEnded,
		Poke: r.poke, CreatedAt: r.createdAt,
	}
	if !r.root.Valid {
		row.Root = row.ID
	}
	row.CorrelationID = row.ID.String()
	if r.correlationID != nil {
		row.CorrelationID = *r.correlationID
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

// scanLogs reads rows that each have a record beside their task's row, sorted
// by task and position.
func scanLogs(logs *[]tasker.Log, row *rowTarget, record *recordTarget) error {
	if n := len(*logs); n == 0 || (*logs)[n-1].Row.ID != row.id.Bytes {
		task, err := row.row()
		if err != nil {
			return err
		}
		*logs = append(*logs, tasker.Log{Row: task})
	}
	r, err := record.record()
	if err != nil {
		return fmt.Errorf("task %s, record %d: %w", tasker.ID(row.id.Bytes), record.seq, err)
	}
	last := &(*logs)[len(*logs)-1]
	last.Records = append(last.Records, r)
	return nil
}

// Load implements [tasker.Store].
func (s *Store) Load(ctx context.Context, task tasker.ID) (tasker.Log, error) {
	var logs []tasker.Log
	var now time.Time
	err := s.query(ctx, "load", []any{uuid(task)}, func(rows pgx.Rows) error {
		var row rowTarget
		var record recordTarget
		if err := rows.Scan(row.columns(append(record.columns(), &now)...)...); err != nil {
			return err
		}
		return scanLogs(&logs, &row, &record)
	})
	if err != nil {
		return tasker.Log{}, err
	}
	if len(logs) == 0 {
		return tasker.Log{}, fmt.Errorf("task %s: %w", task, tasker.ErrNotFound)
	}
	logs[0].Now = now
	return logs[0], nil
}

// The bounds of a list.
const (
	usualRows = 100
	mostRows  = 1000
)

// Rows implements [tasker.Store].
func (s *Store) Rows(ctx context.Context, f tasker.Filter) ([]tasker.Row, error) {
	text, args := s.list(&f)
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	found, err := s.in(ctx).Query(ctx, text, args...)
	var rows []tasker.Row
	if err == nil {
		err = eachRow(found, func(r pgx.Rows) error {
			var target rowTarget
			if err := r.Scan(target.columns()...); err != nil {
				return err
			}
			row, err := target.row()
			rows = append(rows, row)
			return err
		})
	}
	return rows, s.told("rows", err)
}

// list puts the conditions of a filter behind the statement, only those that
// it has: the planner cannot see through "$1 is null or …".
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
	condition(len(f.States) > 0, "t.state = any($::text[])", names(f.States))
	if len(where) == 0 {
		where = []string{"true"}
	}
	limit := usualRows
	if f.Limit > 0 {
		limit = min(f.Limit, mostRows)
	}
	args = append(args, limit)
	text = s.sql["rows"] + " where " + strings.Join(where, " and ") + fmt.Sprintf("\n order by t.id desc limit $%d::int", len(args))
	return text, args
}

func uuids(ids []tasker.ID) []pgtype.UUID {
	all := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		all[i] = uuid(id)
	}
	return all
}

func names(states []tasker.TaskState) []string {
	all := make([]string, len(states))
	for i, state := range states {
		all[i] = state.String()
	}
	return all
}
