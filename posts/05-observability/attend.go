package main

import (
	"cmp"
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// watchedRun is what the parts of this post know of the run.
type watchedRun struct {
	tag, environment string
	first            *tasker.Task   // of the run, once it rests
	other            *otherCustomer // nil where an incident was chosen
}

func runOf(w *post.World) *watchedRun {
	return post.Share(w, "run", func() *watchedRun { return &watchedRun{} })
}

// configure wires the run's engine to the telemetry.
func configure(w *post.World, config *tasker.Config) {
	run := runOf(w)
	run.tag, run.environment = config.Tag, cmp.Or(config.Environment, "development")
	if err := telemetryOf(w).wire(config); err != nil {
		panic(err) // an instrument with a wrong name, which is this code's fault
	}
}

// attend has everybody listen who wants to, before the first checkout is
// submitted, and lets them catch up when the last one rests.
func attend(ctx context.Context, w *post.World, e *tasker.Engine) (leave func([]*tasker.Task), err error) {
	t, run := telemetryOf(w), runOf(w)
	if err := t.serve(ctx, w, e); err != nil {
		return nil, err
	}
	if err := t.watchIdle("ecommerce", e); err != nil {
		return nil, err
	}
	if _, chosen := incidentOf(w); !chosen {
		if run.other, err = t.shopsElsewhere(ctx, run.environment); err != nil {
			return nil, err
		}
	}
	t.Alerts.say = func(a Alert) { w.Say("alert", "%s: %s", a.Level, a) }
	journal := journalOf(w)
	stop, err := t.listen(e, journal)
	if err != nil {
		return nil, err
	}
	return func(tasks []*tasker.Task) {
		if len(tasks) > 0 {
			run.first = tasks[0]
		}
		journal.catchUp(tasks)
		stop()
	}, nil
}

func journalOf(w *post.World) *Journal { return newJournal(w, telemetryOf(w).Business, runOf(w).tag) }
