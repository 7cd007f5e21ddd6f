package post

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
)

// till is what the worlds of these tests keep.
type till struct{ Cents []int }

func newTill(w *World) *Kept[till] {
	return Keep(w, "till", func() till { return till{Cents: []int{}} })
}

// putIn adds an amount.
func putIn(ctx context.Context, k *Kept[till], cents int) error {
	return k.Do(ctx, func(t *till) error { t.Cents = append(t.Cents, cents); return nil })
}

func total(k *Kept[till], task tasker.ID) (sum int) {
	k.Of(task, func(t till) {
		for _, c := range t.Cents {
			sum += c
		}
	})
	return sum
}

// storedWorld is the world of a run, and another process's view of it.
func storedWorld(t *testing.T) (world *World, again func() *World, pool *pgxpool.Pool) {
	t.Helper()
	r := newRuns(t)
	begin(t, r, anyCommand, "a run")
	open := func() *World {
		w := NewWorld()
		w.disk = &disk{pool: r.pool, tag: "a run"}
		var err error
		if w.disk.found, err = w.disk.readAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w
	}
	return open(), open, r.pool
}

func inTask(t *testing.T, n byte) (context.Context, tasker.ID) {
	id := tasker.ID{n}
	return tasker.WithAttempt(t.Context(), &tasker.Attempt{TaskID: id, RootID: id, Step: "s", Number: 1}), id
}

func TestAChangeIsStoredWhenDoReturnsWhateverItReturns(t *testing.T) {
	t.Parallel()
	world, again, _ := storedWorld(t)
	ctx, task := inTask(t, 1)
	other, _ := inTask(t, 2)
	till1 := newTill(world)
	refused := errors.New("refused")
	if err := putIn(ctx, till1, 5); err != nil {
		t.Fatal(err)
	}
	if err := putIn(other, till1, 1000); err != nil {
		t.Fatal(err)
	}
	err := till1.Do(ctx, func(t *till) error { t.Cents = append(t.Cents, 7); return refused })
	if !errors.Is(err, refused) {
		t.Errorf("Do returns %v", err)
	}
	for _, w := range []*World{world, again()} {
		if got := total(newTill(w), task); got != 12 {
			t.Errorf("the till of the task holds %d, want 12", got)
		}
	}
}

func TestLookingChangesNothingAndStoresNothing(t *testing.T) {
	t.Parallel()
	world, _, pool := storedWorld(t)
	ctx, _ := inTask(t, 1)
	if err := newTill(world).Do(ctx, func(*till) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := pool.QueryRow(t.Context(), "select count(*) from tasker_posts.worlds").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are stored (%v)", rows, err)
	}
}

func TestAChangeThatCannotBeStoredHasNotHappened(t *testing.T) {
	t.Parallel()
	world, again, pool := storedWorld(t)
	ctx, task := inTask(t, 1)
	k := newTill(world)
	if err := putIn(ctx, k, 5); err != nil {
		t.Fatal(err)
	}
	rename := func(from, to string) {
		if _, err := pool.Exec(t.Context(), "alter table tasker_posts."+from+" rename to "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("worlds", "elsewhere")
	for range 2 { // the second time it cannot even be read
		var verdict *tasker.Error
		if err := putIn(ctx, k, 7); !errors.As(err, &verdict) || verdict.Kind != tasker.KindRetryable || verdict.Code != codeWorld {
			t.Errorf("the error is %v, want a retryable %s", err, codeWorld)
		}
	}
	if got := total(k, task); got != 5 {
		t.Errorf("the till holds %d, want what is stored, 5", got)
	}
	rename("elsewhere", "worlds")
	if err := putIn(ctx, k, 11); err != nil {
		t.Fatal(err)
	}
	if got, stored := total(k, task), total(newTill(again()), task); got != 16 || stored != 16 {
		t.Errorf("the till holds %d, and %d are stored, want 16", got, stored)
	}
}

func TestWhoWasTakenOverChangesNothingAndReadsAnew(t *testing.T) {
	t.Parallel()
	world, again, _ := storedWorld(t)
	ctx, task := inTask(t, 1)
	late, next := newTill(world), newTill(again())
	if err := putIn(ctx, late, 5); err == nil {
		err = putIn(ctx, next, 7)
		if err == nil || !strings.Contains(err.Error(), errBehind.Error()) {
			t.Errorf("it knew nothing of the 5, and its change ended with %v", err)
		}
	}
	if err := putIn(ctx, next, 7); err != nil {
		t.Errorf("it has read anew, and yet: %v", err)
	}
	for _, k := range []*Kept[till]{late, next} {
		if got := total(k, task); got != 12 {
			t.Errorf("the till holds %d, want 12", got)
		}
	}
}
