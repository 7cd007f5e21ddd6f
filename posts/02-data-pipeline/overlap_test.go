package main

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// barrier lets nobody through until everybody has come.
type barrier struct {
	patience time.Duration
	mu       sync.Mutex
	missing  int
	open     chan struct{}
}

func newBarrier(of int, patience time.Duration) *barrier {
	return &barrier{patience: patience, missing: of, open: make(chan struct{})}
}

func (b *barrier) wait(ctx context.Context) error {
	b.mu.Lock()
	b.missing--
	if b.missing == 0 {
		close(b.open)
	}
	b.mu.Unlock()
	select {
	case <-b.open:
		return nil
	case <-time.After(b.patience):
		return tasker.Permanent("NOBODY_ELSE_CAME", "after %v the barrier is still shut", b.patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// behind is a source that is read once the barrier has opened.
type behind[R Row] struct {
	*barrier
	Source[R]
}

func (s behind[R]) Read(ctx context.Context, window DateRange) ([]R, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Source.Read(ctx, window)
}

// behindABarrier is the post with its sources behind one barrier.
func behindABarrier(b *barrier, configure func(*tasker.Config)) posttest.Runner[noted] {
	p := thisPost
	p.Handlers = func(w *post.World) tasker.Handlers {
		pipeline := newPipeline(w)
		pipeline.Sales = behind[Sale]{b, pipeline.Sales}
		pipeline.Inventory = behind[StockItem]{b, pipeline.Inventory}
		pipeline.Customers = behind[Customer]{b, pipeline.Customers}
		return pipeline.Handlers()
	}
	p.Configure = func(w *post.World, c *tasker.Config) { watch(w, c); configure(c) }
	return posttest.Runner[noted]{Post: p}
}

func TestTheThreeExtractsTrulyOverlapSinceABarrierOpensThatWaitsForAllThree(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		runner := behindABarrier(newBarrier(3, 10*time.Second), func(*tasker.Config) {})
		o := runner.Report(t, november("overlapping"), append(where, "-env", "test")...)
		published(t, o)
		for _, first := range extracts {
			for _, other := range extracts {
				if a, b := o.Step(first), o.Step(other); !a.StartedAt.Before(b.FinishedAt) {
					t.Errorf("%s started at %v, after %s had ended", first, a.StartedAt, other)
				}
			}
		}
	})
}

func TestTheBarrierStaysShutWhereOneStepRunsAtATime(t *testing.T) {
	t.Parallel()
	one := func(c *tasker.Config) { c.Concurrency = 1 }
	o := behindABarrier(newBarrier(3, 50*time.Millisecond), one).Report(t, november("one-at-a-time"), "-env", "test")
	if o.Exit != 1 || o.Tasks[0].State != "blocked_by_failures" {
		t.Errorf("exit %d, the task is %s: the barrier proves nothing\n%s", o.Exit, o.Tasks[0].State, o.Stderr)
	}
}

// By a clock that nothing but the sources' own time moves.
func TestSideBySideTakesAsLongAsTheSlowestSourceAndInARowAsLongAsAllTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		engine, world := engineWith(t, taskertest.OnMemory(t), unchanged)
		began := time.Now()
		engine.Expect(engine.Submit(thisTask, request("2025-11-01", "2025-11-30"))).Complete()
		sideBySide := time.Since(began)
		began = time.Now()
		if err := newPipeline(world).fragileNightly(t.Context(), DateRange{"2025-11-01", "2025-11-30"}, quiet); err != nil {
			t.Fatal(err)
		}
		inARow := time.Since(began)
		if sideBySide != 60*time.Millisecond || inARow != 130*time.Millisecond {
			t.Errorf("the pipeline took %v and the fragile job %v, want 60ms and 130ms", sideBySide, inARow)
		}
		t.Attr("side_by_side_ms", fmt.Sprint(sideBySide.Milliseconds()))
		t.Attr("in_a_row_ms", fmt.Sprint(inARow.Milliseconds()))
	})
}

// inMinutes gives the sources the story's times, and the CRM its bad night.
func inMinutes(p *Pipeline) {
	const perMinute = time.Minute / time.Millisecond
	p.Sales.(*simulated[Sale]).takes *= perMinute
	p.Inventory.(*simulated[StockItem]).takes *= perMinute
	crm := p.Customers.(*simulated[Customer])
	crm.takes *= perMinute
	crm.script = script{{"503", 2}}
}

// By the same clock, and in whole minutes: the CRM is down twice, and the
// fragile job is started over as soon as it has failed.
func TestABadNightCostsThePipelineOneSourceAndTheFragileJobAllOfThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		night := func(c *tasker.Config) { c.Environment = "night" }
		engine, world := engineWith(t, taskertest.OnMemory(t), inMinutes, night)
		engine.Patience = 24 * time.Hour
		began := time.Now()
		task := engine.Expect(engine.Submit(thisTask, request("2025-11-01", "2025-11-30"))).Complete()
		task.Step("extract_customer_data").After(3).Step("extract_sales_data").After(1).Step("extract_inventory_data").After(1)
		pipeline := time.Since(began)
		p := newPipeline(world)
		inMinutes(p)
		began = time.Now()
		for p.fragileNightly(t.Context(), allNovember, quiet) != nil {
			continue // the person on call starts it over
		}
		job := time.Since(began)
		if pipeline.Round(time.Second) != 220*time.Minute || job != 390*time.Minute {
			t.Errorf("the pipeline took %v and the fragile job %v, want 220 and 390 minutes", pipeline, job)
		}
		t.Attr("pipeline_minutes", fmt.Sprint(pipeline.Round(time.Second).Minutes()))
		t.Attr("fragile_minutes", fmt.Sprint(job.Minutes()))
	})
}

func TestTheReportTellsHowMuchTheOverlapSaved(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		o := reader.Report(t, november("timed"), append(where, "-env", "test", "-source", "sales=503x1")...)
		if o.Exit != 0 || o.Notes.Overlap == nil {
			t.Fatalf("exit %d, overlap %v\n%s", o.Exit, o.Notes.Overlap, o.Stderr)
		}
		var sum time.Duration
		first, last := o.Tasks[0].Steps[0].StartedAt, o.Tasks[0].Steps[0].FinishedAt
		for _, s := range o.Tasks[0].Steps {
			sum += s.FinishedAt.Sub(s.StartedAt)
			if s.StartedAt.Before(first) {
				first = s.StartedAt
			}
			if s.FinishedAt.After(last) {
				last = s.FinishedAt
			}
		}
		got := o.Notes.Overlap
		// On PostgreSQL a record has its time from the database, and the report
		// from the worker that has sent it.
		if want := sum.Milliseconds(); where == nil && !about(got.InARowMS, want) {
			t.Errorf("in a row it is %d ms, and the report's steps add up to %d", got.InARowMS, want)
		}
		if want := last.Sub(first).Milliseconds(); where == nil && !about(got.SideBySideMS, want) {
			t.Errorf("side by side it is %d ms, and the report spans %d", got.SideBySideMS, want)
		}
		if got.SavedMS != got.InARowMS-got.SideBySideMS || got.SavedMS <= 0 {
			t.Errorf("%d ms were saved, of %d in a row and %d side by side", got.SavedMS, got.InARowMS, got.SideBySideMS)
		}
	})
}

// about allows for what is lost by rounding, and by a busy machine.
func about(got, want int64) bool { return max(got-want, want-got) <= 10+want/10 }

func quiet(string) error { return nil }
