package main

import (
	"errors"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestRunningAPipelineAgainReplacesItsOutputAndNeverDoublesIt(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		o := reader.Report(t, november("every-morning"), append(where, "-env", "test", "-n", "3")...)
		if o.Exit != 0 || len(o.Tasks) != 3 {
			t.Fatalf("exit %d, %d tasks\n%s", o.Exit, len(o.Tasks), o.Stderr)
		}
		if o.Notes.Outputs != 1 || o.Notes.Publications != 3 {
			t.Errorf("three runs have left %d pages by %d publications, want 1 by 3", o.Notes.Outputs, o.Notes.Publications)
		}
	})
}

func TestALostAnswerToThePublicationReplacesItToo(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, november("unheard"), "-env", "test", "-fail", "generate_insights=1")
	published(t, o)
	if o.Notes.Publications != 2 {
		t.Errorf("there were %d publications, want 2", o.Notes.Publications)
	}
}

func TestTheLastRunOfAPipelineIsWhatTheDashboardShows(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		engine, world := engineWith(t, store, unchanged)
		run := func(pipelineID string, window DateRange) tasker.ID {
			id := engine.Submit(thisTask, map[string]any{"pipeline_id": pipelineID, "date_range": window})
			engine.Expect(id).Complete()
			return id
		}
		autumn, winter := DateRange{"2025-11-01", "2025-11-30"}, DateRange{"2025-12-01", "2025-12-31"}
		run("nightly", autumn)
		last := run("nightly", autumn)
		other, another := run("weekly", autumn), run("nightly", winter)
		newDashboard(world).pages.Of(everybody, func(pages Pages) {
			if len(pages) != 3 {
				t.Errorf("there are %d pages, want one for each pipeline and window", len(pages))
			}
			for key, want := range map[string]struct {
				by    tasker.ID
				times int
			}{
				"nightly/2025-11-01..2025-11-30": {last, 2},
				"weekly/2025-11-01..2025-11-30":  {other, 1},
				"nightly/2025-12-01..2025-12-31": {another, 1},
			} {
				if page := pages[key]; page.PublishedBy != want.by || page.Publications != want.times {
					t.Errorf("%s is by %s and was published %d times, want %s and %d", key, page.PublishedBy, page.Publications, want.by, want.times)
				}
			}
		})
	})
}

// The scheduler of two machines fires twice. It sends the night as the request's
// key, and there is one run.
func TestTheNightAsTheKeyOfTheRequestMakesTwoSubmitsOneRun(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		o := reader.Report(t, november("november"), append(where, "-env", "test", "-n", "2", "-key", "night-2025-12-01")...)
		published(t, o)
		if len(o.Tasks) != 1 || o.Notes.Publications != 1 || o.Notes.Reads[sourceSales] != 1 {
			t.Errorf("there are %d tasks, %d publications and %d reads of the sales, want one of each", len(o.Tasks), o.Notes.Publications, o.Notes.Reads[sourceSales])
		}
	})
}

// The request's key names the night, and the page's name the month. With the
// month as the key, no night after the first would run.
func TestEveryNightIsATaskOfItsOwnAndReplacesTheMonthsPage(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		engine, world := engineWith(t, store, unchanged)
		fire := func(key string) tasker.Submission {
			s, err := engine.Engine.Submit(t.Context(), tasker.Request{
				Namespace: "data_pipeline", Name: "analytics_pipeline", IdempotencyKey: key,
				Context: map[string]any{"pipeline_id": "november", "date_range": allNovember},
			})
			if err != nil {
				t.Fatal(err)
			}
			engine.Expect(s.ID).Complete()
			return s
		}
		first := fire("night-2025-11-30")
		if again := fire("night-2025-11-30"); again.ID != first.ID || !again.Existing {
			t.Errorf("the same night, once it is over, gives %+v, want the first task", again)
		}
		next := fire("night-2025-12-01")
		if next.ID == first.ID || next.Existing {
			t.Errorf("the next night gives %+v, want a new task", next)
		}
		newDashboard(world).pages.Of(everybody, func(pages Pages) {
			if page := pages[outputKey("november", allNovember)]; len(pages) != 1 || page.PublishedBy != next.ID || page.Publications != 2 {
				t.Errorf("there are %d pages, and that of the month is %+v", len(pages), page)
			}
		})
	})
}

func TestTheSamePipelineIDForOtherDaysIsNotTakenForTheSameRun(t *testing.T) {
	t.Parallel()
	taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
		engine, _ := engineWith(t, store, unchanged)
		submit := func(end Day) (tasker.Submission, error) {
			return engine.Engine.Submit(t.Context(), tasker.Request{
				Namespace: "data_pipeline", Name: "analytics_pipeline", IdempotencyKey: "november",
				Context: map[string]any{"pipeline_id": "november", "date_range": DateRange{"2025-11-01", end}},
			})
		}
		first, err := submit("2025-11-30")
		if err != nil {
			t.Fatal(err)
		}
		if second, err := submit("2025-11-30"); err != nil || second.ID != first.ID || !second.Existing {
			t.Errorf("the second submit gives %+v (%v), want the first task", second, err)
		}
		_, err = submit("2025-11-10")
		var rejected *tasker.Rejected
		if !errors.As(err, &rejected) || rejected.Code != tasker.CodeKeyMismatch {
			t.Errorf("the same id for other days gives %v", err)
		}
		engine.Expect(first.ID).Complete()
	})
}

func TestEachOfManyTasksHasTheSameBadNight(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		o := reader.Report(t, november("bad-nights"), append(where, "-env", "test", "-n", "5", "-source", "crm=503x1")...)
		if o.Exit != 0 || len(o.Tasks) != 5 {
			t.Fatalf("exit %d, %d tasks\n%s", o.Exit, len(o.Tasks), o.Stderr)
		}
		for _, task := range o.Tasks {
			if crm, sales := task.Step("extract_customer_data"), task.Step("extract_sales_data"); crm.Attempts != 2 || sales.Attempts != 1 {
				t.Errorf("the CRM took %d attempts and the sales %d, want 2 and 1", crm.Attempts, sales.Attempts)
			}
		}
	})
}
