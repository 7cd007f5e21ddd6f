package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Candidates implements [tasker.Store].
func (s *Store) Candidates(ctx context.Context, q tasker.CandidateQuery) (tasker.Candidates, error) {
	templates, namespaces, err := s.wanted(ctx, q.Templates)
	if err != nil {
		return tasker.Candidates{}, err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue(s.sql["next_wake"], templates, q.Tag)
	batch.Queue(s.sql["in_order"])
	batch.Queue(s.sql["candidates"], templates, namespaces, q.Tag, q.Limit, q.Oldest)
	answers := s.pool.SendBatch(ctx, batch)
	defer answers.Close()
	var found tasker.Candidates
	var wake *time.Time
	if err := answers.QueryRow().Scan(&found.Now, &wake); err != nil {
		return tasker.Candidates{}, s.told("next_wake", err)
	}
	if wake != nil {
		found.NextWake = *wake
	}
	if _, err := answers.Exec(); err != nil {
		return tasker.Candidates{}, s.told("in_order", err)
	}
	var read logs
	rows, err := answers.Query()
	if err == nil {
		var row rowTarget
		var record recordTarget
		targets := row.columns(record.columns()...)
		err = eachRow(rows, func(r pgx.Rows) error {
			if err := r.Scan(targets...); err != nil {
				return err
			}
			read.add(&row, &record)
			return nil
		})
	}
	if err == nil {
		err = answers.Close()
	}
	if err == nil {
		err = s.nameTemplates(ctx, s.pool, &read.rows)
	}
	if err != nil {
		return tasker.Candidates{}, s.told("candidates", err)
	}
	found.Logs = read.logs(found.Now)
	return found, nil
}

// wanted gives the numbers and namespaces of templates. One that was never
// saved has no tasks.
func (s *Store) wanted(ctx context.Context, keys []tasker.TemplateKey) (templates []int32, namespaces []string, err error) {
	hashes := make([]string, len(keys))
	for i, key := range keys {
		hashes[i] = key.Hash
	}
	numbers, err := s.numbers(ctx, hashes)
	if err != nil && !errors.Is(err, tasker.ErrNoTemplate) {
		return nil, nil, err
	}
	templates, namespaces = []int32{}, []string{}
	for _, key := range keys {
		if n, ok := numbers[key.Hash]; ok && n.namespace == key.Namespace {
			templates, namespaces = append(templates, n.number), append(namespaces, key.Namespace)
		}
	}
	return templates, namespaces, nil
}

// Beat implements [tasker.Store].
func (s *Store) Beat(ctx context.Context, b tasker.Beat) (tasker.Pulse, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	renew := "beat"
	if b.First {
		renew = "join"
	}
	batch := &pgx.Batch{}
	batch.Queue(s.sql["bury"])
	batch.Queue(s.sql["forget_workers"])
	batch.Queue(s.sql[renew], uuid(b.Worker), b.Lease.Microseconds(), spelled(b.Templates))
	batch.Queue(s.sql["wake_awaiting"], *s.looked.Load(), lookedAtOnce)
	batch.Queue(s.sql["dead"])
	batch.Queue(s.sql["owned"], uuid(b.Worker))
	answers := s.pool.SendBatch(ctx, batch)
	defer answers.Close()
	reply, err := s.readBeat(answers)
	if err == nil {
		err = answers.Close()
	}
	if err == nil && reply.woken > 0 {
		s.ears.tell(tasker.Hint{Kind: tasker.HintWork})
	}
	if err == nil {
		err = s.free(ctx, reply.dead)
	}
	switch {
	case err != nil:
		return tasker.Pulse{}, s.told("beat", err)
	case !reply.renewed:
		return tasker.Pulse{}, fmt.Errorf("worker %s: %w", b.Worker, tasker.ErrWorkerDead)
	}
	return reply.pulse, nil
}

// spelled gives templates as the row of a worker has them. A hash has no
// slash, so no two of them are spelled alike.
func spelled(templates []tasker.TemplateKey) []string {
	all := make([]string, len(templates)) // not nil, which would be null
	for i, key := range templates {
		all[i] = key.Namespace + "/" + key.Hash
	}
	return all
}

// lookedAtOnce is at how many tasks that await others a beat looks.
const lookedAtOnce = 500

// beatReply is what the statements of a beat answer.
type beatReply struct {
	renewed bool
	woken   int // tasks that awaited others
	dead    []pgtype.UUID
	pulse   tasker.Pulse
}

func (s *Store) readBeat(answers pgx.BatchResults) (reply beatReply, err error) {
	for range 3 { // bury, forget, renew
		tag, err := answers.Exec()
		if err != nil {
			return reply, err
		}
		reply.renewed = tag.RowsAffected() > 0
	}
	var last pgtype.UUID
	if err := answers.QueryRow().Scan(&reply.woken, &last); err != nil {
		return reply, err
	}
	last.Valid = true // where it was null, the next beat looks from the beginning
	s.looked.Store(&last)
	rows, err := answers.Query()
	if err == nil {
		reply.dead, err = pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	}
	if err != nil {
		return reply, err
	}
	if rows, err = answers.Query(); err == nil {
		err = eachRow(rows, func(r pgx.Rows) error { return scanOwned(r, &reply.pulse) })
	}
	return reply, err
}

// free lets others claim what the dead own.
func (s *Store) free(ctx context.Context, dead []pgtype.UUID) error {
	if len(dead) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	for _, worker := range dead {
		batch.Queue(s.sql["free_tasks"], worker)
	}
	answers := s.pool.SendBatch(ctx, batch)
	defer answers.Close()
	freed := false
	for range dead {
		tag, err := answers.Exec()
		if err != nil {
			return err
		}
		freed = freed || tag.RowsAffected() > 0
	}
	if freed {
		s.ears.tell(tasker.Hint{Kind: tasker.HintWork})
	}
	return answers.Close()
}

func scanOwned(rows pgx.Rows, pulse *tasker.Pulse) error {
	var task pgtype.UUID
	var poke int64
	var now *time.Time
	if err := rows.Scan(&task, &poke, &now); err != nil {
		return err
	}
	if now != nil {
		pulse.Now = *now
		return nil
	}
	pulse.Owned = append(pulse.Owned, tasker.Owned{Task: task.Bytes, Poke: poke})
	return nil
}

// Leave implements [tasker.Store].
func (s *Store) Leave(ctx context.Context, worker tasker.ID) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.pool.Exec(ctx, s.sql["leave"], uuid(worker))
	if err == nil {
		err = s.free(ctx, []pgtype.UUID{uuid(worker)})
	}
	return s.told("leave", err)
}
