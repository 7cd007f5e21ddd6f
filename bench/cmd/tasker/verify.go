package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"
	"github.com/tasker-systems/tasker-go/tasker"
)

// verifyLogs reads every task's log.
func (p *peer) verifyLogs(ctx context.Context, n int) error {
	seen := map[tasker.ID]bool{}
	inputs := map[int]bool{}
	for _, id := range p.ids {
		seen[id] = true
		log, err := p.store.Load(ctx, id)
		if err != nil {
			return err
		}
		input, err := p.verifyLog(&log)
		if err != nil {
			return fmt.Errorf("task %s: %w", id, err)
		}
		inputs[input] = true
	}
	if len(seen) != n || len(inputs) != n {
		return fmt.Errorf("%d tasks with %d inputs are complete; %d were submitted", len(seen), len(inputs), n)
	}
	return nil
}

// verifyLog holds one log to what the workload must leave, and gives the task's number.
func (p *peer) verifyLog(log *tasker.Log) (int, error) {
	names, _ := harness.DAG(p.c.Workload)
	completed := map[string]int{}
	finished := 0
	var result P
	for _, r := range log.Records {
		for _, e := range r.Events {
			switch e.Kind {
			case tasker.Completed:
				completed[e.Step]++
				if e.Step != names[len(names)-1] {
					continue
				}
				if err := json.Unmarshal(e.Result, &result); err != nil {
					return 0, err
				}
			case tasker.Finished:
				finished++
			}
		}
	}
	for _, name := range names {
		if completed[name] != 1 {
			return 0, fmt.Errorf("step %s was completed %d times", name, completed[name])
		}
	}
	switch {
	case len(completed) != len(names) || finished != 1:
		return 0, fmt.Errorf("%d steps, finished %d times", len(completed), finished)
	case log.Row.State != tasker.TaskComplete:
		return 0, fmt.Errorf("the row says %s", log.Row.State)
	case result.Sum != harness.FinalSum(p.c.Workload):
		return 0, fmt.Errorf("the final sum is %d", result.Sum)
	}
	return result.Task, nil
}

// verifyTables asks the database, over a connection of its own.
func (p *peer) verifyTables(ctx context.Context, n int) error {
	conn, err := pgx.Connect(ctx, p.c.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	names, _ := harness.DAG(p.c.Workload)
	var tasks, complete, steps, completions, finishes, right int
	err = conn.QueryRow(ctx, `
		with events as materialized (
			select r.task, e.event ->> 'kind' as kind, e.event ->> 'step' as step, e.event -> 'result' as result
			  from tasker.records r cross join lateral json_array_elements(r.events::json) as e (event)
			 where r.seq > 1
		), completed as (
			select task, step, count(*) as times from events where kind = 'completed' group by task, step
		)
		select (select count(*) from tasker.tasks),
		       (select count(*) from tasker.tasks where state = 'complete' and finished_at is not null and owner is null),
		       (select count(*) from completed where step = any($1)),
		       (select coalesce(sum(times), 0) from completed),
		       (select count(*) from events where kind = 'finished'),
		       (select count(distinct result ->> 'task') from events
		         where kind = 'completed' and step = $2 and (result ->> 'sum')::int = $3)`,
		names, names[len(names)-1], harness.FinalSum(p.c.Workload)).
		Scan(&tasks, &complete, &steps, &completions, &finishes, &right)
	if err != nil {
		return err
	}
	if want := n * len(names); tasks != n || complete != n || steps != want || completions != want || finishes != n || right != n {
		return fmt.Errorf("of %d tasks, %d are stored, %d complete; %d of %d steps are, by %d completions; %d finished, %d with the right result",
			n, tasks, complete, steps, want, completions, finishes, right)
	}
	return nil
}
