package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestAnExtractThatFailsHealsWhileItsSiblingsRunExactlyOnce(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		for step, source := range readBy {
			o := reader.Report(t, november("heals"), append(where, "-env", "test", "-source", source+"=503x2")...)
			published(t, o)
			for _, s := range o.Tasks[0].Steps {
				want := 1
				if s.Name == step {
					want = 3
				}
				if s.Attempts != want {
					t.Errorf("with %s down twice, %s took %d attempts, want %d", source, s.Name, s.Attempts, want)
				}
				if reads := o.Notes.Reads[readBy[s.Name]]; readBy[s.Name] != "" && reads != want {
					t.Errorf("with %s down twice, %s was read %d times, want %d", source, readBy[s.Name], reads, want)
				}
			}
		}
	})
}

func TestASiblingsBranchGoesOnWhileAnExtractWaitsForItsNextAttempt(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, november("waits"), "-env", "test", "-source", "crm=503x2")
	for _, branch := range []string{"transform_sales", "transform_inventory"} {
		if s := o.Step(branch); !s.FinishedAt.Before(o.Step("extract_customer_data").FinishedAt) {
			t.Errorf("%s has waited for the CRM", branch)
		}
	}
}

func TestAPermanentFailureLeavesSiblingsCompleteAndTheRestUntouched(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, where ...string) {
		blockedAt(t, reader.Report(t, november("stuck"), append(where, "-env", "test", "-source", "crm=401")...), "extract_customer_data", "CRM_AUTH_FAILED")
	})
}

// retry does what `taskerctl tasks retry` does, on the database alone.
func retry(t *testing.T, url, task string) {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, postgres.Options{Existing: true, NoListen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	engine, err := tasker.New(tasker.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	id, err := tasker.ParseID(task)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.RetryTask(t.Context(), id, tasker.By{Actor: "on call", Reason: "the CRM lets us in again"}); err != nil {
		t.Fatal(err)
	}
}

func TestAfterAnOperatorsRetryTheSameCommandGoesOnAndOnlyWhatFailedRunsAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, step, answer, code string }{
		{"let in again", "extract_customer_data", "crm=401x1", "CRM_AUTH_FAILED"},
		{"up again after all attempts", "extract_inventory_data", "inventory=503x3", "INVENTORY_UNAVAILABLE"},
		{"with good data at last", "extract_sales_data", "sales=holesx1", "DATA_QUALITY_FAILED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := taskertest.Database(t)
			command := []string{"-env", "test", "-db", url, "-source", tt.answer}
			before := reader.Report(t, november("again"), command...)
			blockedAt(t, before, tt.step, tt.code)
			retry(t, url, before.Tasks[0].ID)
			after := reader.Report(t, november("again"), command...)
			published(t, after)
			if after.Tasks[0].ID != before.Tasks[0].ID {
				t.Fatal("the same command has begun anew")
			}
			for _, s := range after.Tasks[0].Steps {
				started := posttest.Ask[int](t, url, "select count(*) from tasker.history where task = $1::uuid and step = $2 and kind = 'started'", after.Tasks[0].ID, s.Name)
				want := 1
				if s.Name == tt.step {
					want += before.Step(tt.step).Attempts
				}
				if started != want {
					t.Errorf("%s was started %d times, want %d", s.Name, started, want)
				}
			}
			if third := reader.Report(t, november("again"), "-env", "test", "-db", url); third.Tasks[0].ID == before.Tasks[0].ID {
				t.Error("a run that is over is gone on with")
			}
		})
	}
}

func TestAnExtractThatHangsIsCutOffAndTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		engine, _ := engineWith(t, taskertest.OnMemory(t), unchanged, taskertest.Hang("extract_customer_data", 0))
		began := time.Now()
		task := engine.Expect(engine.Submit(thisTask, request("2025-11-01", "2025-11-30"))).Complete()
		task.Step("extract_customer_data").After(2).Step("extract_sales_data").After(1).Step("extract_inventory_data").After(1)
		if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("it took %v, want the 30 s that an attempt may take, and little more", took)
		}
	})
}

func TestAfterACrashAtAnyBoundaryTheSameCommandGoesOnAndPublishesOnce(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	start := func() (all []*posttest.Process[noted]) {
		for _, step := range stepNames { // side by side: most of it is waiting
			all = append(all, reader.Start(t, november("crash-after-"+step), nil, "-db", url, "-crash-after", step, "-json", "-input", "-"))
		}
		return all
	}
	for i, p := range start() {
		if o := p.End(t); !p.Killed() {
			t.Fatalf("-crash-after %s ended with exit %d\n%s%s", stepNames[i], o.Exit, o.Stdout, o.Stderr)
		}
	}
	for i, p := range start() {
		o := p.End(t)
		t.Run(stepNames[i], func(t *testing.T) {
			published(t, o)
			if done := o.Step(stepNames[i]); done.Lost != 0 {
				t.Errorf("it was complete before the crash, and yet lost %d attempts by it", done.Lost)
			}
			for _, s := range o.Tasks[0].Steps {
				source := readBy[s.Name]
				if reads := o.Notes.Reads[source]; s.Attempts != 1 || source != "" && (reads < 1 || reads > 1+s.Lost) {
					t.Errorf("%s shows %d attempts, %d lost ones and %d reads", s.Name, s.Attempts, s.Lost, reads)
				}
			}
		})
	}
}

func TestACrashBetweenThePublicationAndItsRecordReplacesThePage(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), november("published-and-nobody-knows")
	command := []string{"-db", url, "-input", "-", "-crash-in", "generate_insights"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, append(command, "-json")...).End(t)
	published(t, o)
	if s := o.Step("generate_insights"); s.Lost != 1 || o.Notes.Publications != 2 {
		t.Errorf("generate_insights lost %d attempts, and there were %d publications; want 1 and 2", s.Lost, o.Notes.Publications)
	}
}

// A crash in the middle of the CRM's script does not begin the script anew.
func TestACrashDoesNotHealASource(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), november("crash-between-attempts")
	command := []string{"-db", url, "-input", "-", "-source", "crm=503x2", "-crash-after", "transform_sales"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, append(command, "-json")...).End(t)
	published(t, o)
	if reads := o.Notes.Reads[sourceCRM]; reads < 3 || reads > 4 {
		t.Errorf("the CRM was read %d times, want 3, and 4 where a read was lost", reads)
	}
}
