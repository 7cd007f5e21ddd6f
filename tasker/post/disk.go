package post

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
)

// disk is where the world of one run is stored.
type disk struct {
	pool  *pgxpool.Pool
	tag   string
	found map[place]saved // what was there when the run was taken over
}

// place is where in a run's world something is.
type place struct {
	root tasker.ID
	name string
}

// saved is a stored value. Version 0 is none.
type saved struct {
	value   []byte // JSON
	version int64
}

// errBehind says that another process has changed the world: this one was
// silent so long that its run was taken over.
var errBehind = errors.New("another process has changed it meanwhile")

// callLimit bounds every call of the database.
const callLimit = 5 * time.Second

// write stores a value if its version follows the one that is stored.
func (d *disk) write(ctx context.Context, at place, s saved) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	const statement = `
insert into tasker_posts.worlds as w (tag, root, name, version, value)
values ($1::text, $2::uuid, $3::text, $4::bigint, $5::text::json)
    on conflict (tag, root, name) do update
   set version = excluded.version, value = excluded.value
 where w.version = excluded.version - 1`
	done, err := d.pool.Exec(ctx, statement, d.tag, uuid(at.root), at.name, s.version, string(s.value))
	if err == nil && done.RowsAffected() == 0 {
		return errBehind
	}
	return err
}

// read gives what is stored at one place.
func (d *disk) read(ctx context.Context, at place) (s saved, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	const statement = `
select version, value::text from tasker_posts.worlds
 where tag = $1::text and root = $2::uuid and name = $3::text`
	var text string
	err = d.pool.QueryRow(ctx, statement, d.tag, uuid(at.root), at.name).Scan(&s.version, &text)
	if errors.Is(err, pgx.ErrNoRows) {
		return saved{}, nil
	}
	s.value = []byte(text)
	return s, err
}

// readAll gives everything that is stored for the run.
func (d *disk) readAll(ctx context.Context) (map[place]saved, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	rows, err := d.pool.Query(ctx, "select root, name, version, value::text from tasker_posts.worlds where tag = $1::text", d.tag)
	if err != nil {
		return nil, err
	}
	all := map[place]saved{}
	var root pgtype.UUID
	var name, text string
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&root, &name, &version, &text}, func() error {
		all[place{root.Bytes, name}] = saved{[]byte(text), version}
		return nil
	})
	return all, err
}

func uuid(id tasker.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
