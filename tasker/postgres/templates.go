package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
)

// templateIDs knows the numbers that stand for templates in the tasks' rows.
// A number never changes its meaning.
type templateIDs struct {
	mu       sync.Mutex
	byHash   map[string]numbered
	byNumber map[int32]numbered
}

type numbered struct {
	number                         int32
	namespace, name, version, hash string
}

// SaveTemplates implements [tasker.Store].
func (s *Store) SaveTemplates(ctx context.Context, templates []tasker.StoredTemplate, beside bool) (differing []tasker.StoredTemplate, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One at a time, so that of two differing texts one comes first.
		if _, err := tx.Exec(ctx, s.sql["lock_templates"]); err != nil {
			return err
		}
		there, err := s.readTemplates(ctx, tx)
		if err != nil {
			return err
		}
		differing = nil
		var fresh []tasker.StoredTemplate
		for _, t := range templates {
			same, others := find(there, t)
			if same {
				continue
			}
			fresh = append(fresh, t)
			if others {
				differing = append(differing, t)
			}
		}
		if len(fresh) == 0 || len(differing) > 0 && !beside {
			return nil
		}
		return s.insertTemplates(ctx, tx, fresh)
	})
	return differing, s.told("save_templates", err)
}

// find says whether a text is there, and whether another one of its version is.
func find(there []tasker.StoredTemplate, t tasker.StoredTemplate) (same, others bool) {
	for _, other := range there {
		same = same || other.Hash == t.Hash
		others = others || other.Hash != t.Hash && other.Namespace == t.Namespace && other.Name == t.Name && other.Version == t.Version
	}
	return same, others
}

func (s *Store) insertTemplates(ctx context.Context, tx pgx.Tx, templates []tasker.StoredTemplate) error {
	columns := make([][]string, 6)
	for _, t := range templates {
		steps, _ := json.Marshal(t.Steps) // strings always encode
		for i, value := range []string{t.Namespace, t.Name, t.Version, t.Hash, t.Source, string(steps)} {
			columns[i] = append(columns[i], value)
		}
	}
	_, err := tx.Exec(ctx, s.sql["save_templates"], columns[0], columns[1], columns[2], columns[3], columns[4], columns[5])
	return err
}

// Templates implements [tasker.Store].
func (s *Store) Templates(ctx context.Context) ([]tasker.StoredTemplate, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	all, err := s.readTemplates(ctx, s.in(ctx))
	return all, s.told("templates", err)
}

type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (s *Store) readTemplates(ctx context.Context, db queryer) ([]tasker.StoredTemplate, error) {
	rows, err := db.Query(ctx, s.sql["templates"])
	if err != nil {
		return nil, err
	}
	var all []tasker.StoredTemplate
	byHash, byNumber := map[string]numbered{}, map[int32]numbered{}
	err = eachRow(rows, func(r pgx.Rows) error {
		var t tasker.StoredTemplate
		var id int32
		var steps string
		if err := r.Scan(&id, &t.Namespace, &t.Name, &t.Version, &t.Hash, &t.Source, &steps); err != nil {
			return err
		}
		known := numbered{id, t.Namespace, t.Name, t.Version, t.Hash}
		byHash[t.Hash], byNumber[id] = known, known
		all = append(all, t)
		return json.Unmarshal([]byte(steps), &all[len(all)-1].Steps)
	})
	if err == nil {
		s.templates.mu.Lock()
		s.templates.byHash, s.templates.byNumber = byHash, byNumber
		s.templates.mu.Unlock()
	}
	return all, err
}

// numbers gives the numbers of templates by their hashes. Another process may
// have saved one since this one looked.
func (s *Store) numbers(ctx context.Context, hashes []string) (map[string]numbered, error) {
	for looked := false; ; looked = true {
		s.templates.mu.Lock()
		by := s.templates.byHash
		s.templates.mu.Unlock()
		missing := ""
		for _, hash := range hashes {
			if _, ok := by[hash]; !ok {
				missing = hash
			}
		}
		switch {
		case missing == "":
			return by, nil
		case looked:
			return by, fmt.Errorf("template with hash %.12s: %w", missing, tasker.ErrNoTemplate)
		}
		if _, err := s.Templates(ctx); err != nil {
			return nil, err
		}
	}
}

// nameTemplates fills in what the numbers of templates stand for.
func (s *Store) nameTemplates(ctx context.Context, db queryer, rs *rows) error {
	s.templates.mu.Lock()
	known := s.templates.byNumber
	s.templates.mu.Unlock()
	for i, number := range rs.templates {
		t, ok := known[number]
		if !ok {
			if _, err := s.readTemplates(ctx, db); err != nil {
				return err
			}
			s.templates.mu.Lock()
			known = s.templates.byNumber
			s.templates.mu.Unlock()
			if t, ok = known[number]; !ok {
				return fmt.Errorf("task %s: %w", rs.read[i].ID, tasker.ErrNoTemplate)
			}
		}
		row := &rs.read[i]
		row.Namespace, row.Name, row.Version, row.Hash = t.namespace, t.name, t.version, t.hash
	}
	return nil
}
