package plantings

// The folders and files that are planted in, and the suites that must see it.
const (
	memorySubmits = "tasker/memory/memory.go"
	memoryAppends = "tasker/memory/append.go"
	memoryLeases  = "tasker/memory/lease.go"
	memoryQueues  = "tasker/memory/queue.go"
	memoryPurges  = "tasker/memory/purge.go"

	postgresSubmits   = "tasker/postgres/submit.go"
	postgresAppends   = "tasker/postgres/append.go"
	postgresClaims    = "tasker/postgres/claim.go"
	postgresTransacts = "tasker/postgres/transact.go"

	statements = "tasker/postgres/sql/"
)

func onMemory(promise string) test {
	return test{"tasker/memory", "TestTheMemoryStoreKeepsTheContract/" + promise}
}

func onPostgres(promise string) test {
	return test{"tasker/postgres", "TestThePostgresStoreKeepsTheContract/" + promise}
}

func onAnotherClock(promise string) test {
	return test{"tasker/postgres", "TestThePostgresStoreKeepsTheContractByTheDatabasesClock/" + promise}
}

// Where the memory store refuses an append.
const memoryRefuses = "|| !mayAppend(e, a, writer, now) {\n"

// Where PostgreSQL ties the change of a row to its record.
const rowGoesWithRecord = `
   and r.id is not distinct from c.id
   and (r.xmin = pg_current_xact_id()::xid`

var plantings = append(append(append([]planting{}, inMemory...), inPostgres...), inTheEngine...)

var inMemory = []planting{
	{
		"memory: the children of a refused record are kept",
		[]change{{memoryAppends, memoryRefuses, memoryRefuses + "for i := range a.Children { s.submit(&a.Children[i], now) }\n"}},
		onMemory("append/a refused append leaves nothing behind"),
	}, {
		"memory: a refused claim makes its writer the owner",
		[]change{{memoryAppends, memoryRefuses, memoryRefuses + "if e != nil && writer != nil && a.Change == tasker.OwnRow { s.own(e, writer) }\n"}},
		onMemory("claim/a refused claim has neither record nor owner"),
	}, {
		"memory: a refused end is kept",
		[]change{{memoryAppends, memoryRefuses, memoryRefuses + "if e != nil && a.Change == tasker.FinishRow { e.row.State, e.row.FinishedAt = a.State, now }\n"}},
		onMemory("append/a refused append leaves nothing behind"),
	}, {
		"memory: what is sent again pokes again",
		[]change{{memoryAppends, memoryRefuses, memoryRefuses + "if e != nil && a.Poke { s.poke(e, now) }\n"}},
		onMemory("append/what is sent again after others have gone on changes nothing"),
	}, {
		"memory: a release ignores that the task was poked",
		[]change{{memoryAppends, "a.Change == tasker.ReleaseRow && e.row.Poke == a.IfPoke", "a.Change == tasker.ReleaseRow"}},
		onMemory("poke/a release with an older poke keeps its record and leaves the task with its writer"),
	}, {
		"memory: a child's end does not poke its parent",
		[]change{{memoryAppends, "if parent := s.tasks[e.row.Parent]; parent != nil {", "if parent := s.tasks[e.row.Parent]; false {"}},
		onMemory("poke/a child's end pokes its parent, whoever owns it"),
	}, {
		"memory: a late beat revives the dead",
		[]change{{memoryLeases, "dead || w == nil && !b.First {", "!dead && w == nil && !b.First {"}},
		onMemory("lease/a late beat finds the worker dead"),
	}, {
		"memory: a worker claims after its lease",
		[]change{{memoryAppends, "(writer == nil || !now.Before(writer.until))", "writer == nil"}},
		onMemory("claim/a worker whose lease has run out claims nothing, though nobody has noticed"),
	}, {
		"memory: who asks for the oldest is offered the most urgent",
		[]change{{memoryQueues, "order = older", "order = moreUrgent"}},
		onMemory("candidates/who asks for the oldest is offered them round the namespaces, however urgent others are"),
	}, {
		"memory: a task is offered to those with another template",
		[]change{{memoryQueues, "!slices.Contains(q.Templates, key.template)", "!slices.ContainsFunc(q.Templates, func(k tasker.TemplateKey) bool { return k.Namespace == key.template.Namespace })"}},
		onMemory("candidates/only tasks of the templates asked for are offered"),
	}, {
		"memory: who comes second for an identity is told that it was stored",
		[]change{{memorySubmits, "return holder.row\n", "return t.Row\n"}},
		onMemory("submit/fifty submits at once with one identity make one task, and all get it"),
	}, {
		"memory: an operator sets the state of a task that a worker has",
		[]change{{memoryAppends, "steered := a.Change == tasker.SteerRow && e.owned == nil", "steered := a.Change == tasker.SteerRow"}},
		onMemory("steer/steering a task that is owned pokes it, and leaves the rest to its owner"),
	}, {
		"memory: the end of what a task awaits wakes nobody",
		[]change{{memoryAppends, "if slices.ContainsFunc(e.awaits, over) {", "if false && slices.ContainsFunc(e.awaits, over) {"}},
		onMemory("await/a task that awaits another is woken by a beat once that has ended, not before"),
	}, {
		"memory: the dead's tasks count for the limit",
		[]change{{memoryAppends, "\t\tif !now.Before(w.until) {\n\t\t\tcontinue", "\t\tif false {\n\t\t\tcontinue"}},
		onMemory("share/a place under a limit is free again after an end, a rest and a death"),
	}, {
		"memory: a child is deleted while its parent goes on",
		[]change{{memoryPurges, "(parent == nil || parent.row.State.Final())", "(parent == nil || true)"}},
		onMemory("retain/a child stays while its parent goes on"),
	}, {
		"memory: everybody takes events for a consumer at once",
		[]change{{"tasker/memory/events.go", "c.by != hold.By && now.Before(c.until)", "false && now.Before(c.until)"}},
		onMemory("publish/who takes for a consumer keeps others out until it is silent for too long"),
	}, {
		"memory: a consumer that reads is forgotten",
		[]change{{"tasker/memory/events.go", "case time.Now().Before(c.until):", "case false:"}},
		onMemory("publish/a consumer that is forgotten begins anew, and nobody's is forgotten who reads"),
	},
}

var inPostgres = []planting{
	{
		"postgres: the children of a refused record are kept",
		[]change{{postgresAppends, "len(children) > 0 && answers[i].Stored {", "len(children) > 0 {"}},
		onPostgres("append/a refused append leaves nothing behind"),
	}, {
		"postgres: a record is kept whose children are not",
		[]change{{postgresAppends, "s.append(ctx, tx, appends)", "s.append(ctx, s.pool, appends)"}},
		test{"tasker/postgres", "TestARecordWhoseChildrenCannotBeStoredIsNotStored"},
	}, {
		"postgres: who asks for the oldest is offered the most urgent",
		[]change{{statements + "candidates.sql", "case when $5::boolean then 0 else priority end", "case when $5::boolean then priority else priority end"}},
		onPostgres("candidates/who asks for the oldest is offered them round the namespaces, however urgent others are"),
	}, {
		"postgres: the record of a writer that is behind is stored all the same",
		[]change{{statements + "append_one.sql", "last.seq = $2::int", "last.seq >= $2::int"}},
		onPostgres("append/an append at a taken position, or beyond the end, is refused"),
	}, {
		"postgres: a refused claim makes its writer the owner",
		[]change{{statements + "change_rows.sql", rowGoesWithRecord, `
   and (c.change = 1 or r.id is not distinct from c.id)
   and (c.change = 1 or r.xmin = pg_current_xact_id()::xid`}},
		onPostgres("claim/a refused claim has neither record nor owner"),
	}, {
		"postgres: a consumer that reads is forgotten",
		[]change{{statements + "forget_consumer.sql", " and not known.held", ""}},
		onPostgres("publish/a consumer that is forgotten begins anew, and nobody's is forgotten who reads"),
	}, {
		"postgres: a refused end is kept",
		[]change{{statements + "finish_rows.sql", " and r.id = c.id", ""}, {statements + "finish_rows.sql", " and r.xmin = pg_current_xact_id()::xid", ""}},
		onPostgres("append/a refused append leaves nothing behind"),
	}, {
		"postgres: what is sent again pokes again",
		[]change{{statements + "change_rows.sql", "and (r.xmin = pg_current_xact_id()::xid", "and (r.xmin is not null"}},
		onPostgres("append/what is sent again after others have gone on changes nothing"),
	}, {
		"postgres: a release ignores that the task was poked",
		[]change{{statements + "change_rows.sql", "owner = case when c.change = 2 and t.poke = c.if_poke then null", "owner = case when c.change = 2 then null"}},
		onPostgres("poke/a release with an older poke keeps its record and leaves the task with its writer"),
	}, {
		"postgres: a child's end does not poke its parent",
		[]change{{statements + "finish_rows.sql", "poke = parent.poke + 1", "poke = parent.poke"}},
		onPostgres("poke/a child's end pokes its parent, whoever owns it"),
	}, {
		"postgres: a child's end does not wake its parent",
		[]change{
			{statements + "finish_rows.sql", "parent.ready or parent.owner is null and parent.finished_at is null", "parent.ready"},
			{statements + "finish_rows.sql", "case when parent.owner is null and parent.finished_at is null then clock_timestamp() else parent.wake_at end", "parent.wake_at"},
		},
		onPostgres("poke/a child's end pokes its parent, whoever owns it"),
	}, {
		"postgres: a task that has ended takes records",
		[]change{{statements + "append.sql", " and not last.ends", ""}},
		onPostgres("finish/a task that has ended takes no appends any more"),
	}, {
		"postgres: a late beat revives the dead",
		[]change{{statements + "beat.sql", " and not dead", ""}},
		onPostgres("lease/a late beat finds the worker dead"),
	}, {
		"postgres: a worker claims after its lease",
		[]change{{statements + "append.sql", " and w.expires_at > clock_timestamp()", ""}},
		onPostgres("claim/a worker whose lease has run out claims nothing, though nobody has noticed"),
	}, {
		"postgres: a worker records a step after its lease",
		[]change{{statements + "append_one.sql", " and w.expires_at > clock_timestamp()", ""}},
		test{"tasker/postgres", "TestAStepIsNotRecordedAfterTheLease"},
	}, {
		"postgres: a lease begins by the worker's clock",
		[]change{
			{postgresClaims, "b.Lease.Microseconds()", "time.Now().Add(b.Lease).UnixMicro()"},
			{statements + "join.sql", "clock_timestamp() + $2", "'epoch'::timestamptz + $2"},
			{statements + "beat.sql", "clock_timestamp() + $2", "'epoch'::timestamptz + $2"},
		},
		onAnotherClock("lease/once a lease has run out and another worker beats, its tasks are offered, not before"),
	}, {
		"postgres: a lease ends by the worker's clock",
		[]change{
			{postgresClaims, `batch.Queue(s.sql["bury"])`, `batch.Queue(s.sql["bury"], time.Now())`},
			{statements + "bury.sql", "expires_at <= clock_timestamp()", "expires_at <= $1::timestamptz"},
		},
		onAnotherClock("lease/a late beat finds the worker dead"),
	}, {
		"postgres: the dead's tasks are freed at the moment of death only",
		[]change{{statements + "dead.sql", "where dead", "where dead and xmin = pg_current_xact_id()::xid"}},
		test{"tasker/postgres", "TestAClaimThatWasUnderWayAtItsWorkersDeathIsFreedByTheNextBeat"},
	}, {
		"postgres: a task is offered to those with another template",
		[]change{{statements + "candidates.sql", "template = w.number and ready", "namespace = w.namespace and ready"}},
		onPostgres("candidates/only tasks of the templates asked for are offered"),
	}, {
		"postgres: nobody is told when the next task wakes",
		[]change{{postgresClaims, "found.NextWake = *wake", "_ = *wake"}},
		onPostgres("release/the next wake is the earliest of the tasks that one may take"),
	}, {
		"postgres: who comes second for an identity is told that it was stored",
		[]change{{postgresSubmits, "if stored {\n\t\t\t\trows[i] =", "if stored = true; stored {\n\t\t\t\trows[i] ="}},
		onPostgres("submit/fifty submits at once with one identity make one task, and all get it"),
	}, {
		"postgres: what a step wrote stands though its record was refused",
		[]change{{postgresTransacts, "answer, hints = answers[0], more; !answer.Stored {", "answer, hints = answers[0], more; false {"}},
		onPostgres("transact/a refused append rolls back, and is answered as refused"),
	}, {
		"postgres: the events of a record are out of order",
		[]change{{"tasker/record_json.go", "b = events[i].appendJSON(b)", "b = events[len(events)-1-i].appendJSON(b)"}},
		onPostgres("records/the events of a record keep their order"),
	}, {
		"postgres: an operator sets the state of a task that a worker has",
		[]change{{statements + "change_rows.sql", "c.change = 4 and t.owner is null then c.state", "c.change = 4 then c.state"}},
		onPostgres("steer/steering a task that is owned pokes it, and leaves the rest to its owner"),
	}, {
		"postgres: the end of what a task awaits wakes nobody",
		[]change{{statements + "wake_awaiting.sql", "where t.awaits is not null and t.id > $1::uuid", "where t.awaits is not null and t.id > $1::uuid and false"}},
		onPostgres("await/a task that awaits another is woken by a beat once that has ended, not before"),
	}, {
		"postgres: the dead's tasks count for the limit",
		[]change{{statements + "append_limited.sql", "where not w.dead and w.expires_at > clock_timestamp()\n     group by", "group by"}},
		onPostgres("share/a place under a limit is free again after an end, a rest and a death"),
	}, {
		"postgres: a child is deleted while its parent goes on",
		[]change{{statements + "purge.sql", "t.parent), true)\n       and", "t.parent), true) is not null\n       and"}, {statements + "purge.sql", "t.parent), true)\n               and", "t.parent), true) is not null\n               and"}},
		onPostgres("retain/a child stays while its parent goes on"),
	}, {
		"postgres: the events of a refused record are kept",
		[]change{{statements + "publish.sql", " and r.id = e.id", ""}, {statements + "publish.sql", " where r.xmin = pg_current_xact_id()::xid\n", ""}},
		onPostgres("publish/what is sent again publishes once"),
	}, {
		"postgres: the events of a task are read in another order",
		[]change{{statements + "stamp_events.sql", "over (order by task, seq, n)", "over (order by task, seq desc, n)"}},
		onPostgres("publish/events are there with their record, in its order, and with its time"),
	}, {
		"postgres: who is too late acknowledges all the same",
		[]change{{statements + "ack_events.sql", "and held_by = $2::uuid", "and $2::uuid is not null"}},
		onPostgres("publish/who is too late acknowledges nothing"),
	}, {
		"postgres: events are stamped by two at once",
		[]change{{statements + "lock_stamps.sql", "for update", ""}},
		test{"tasker/postgres", "TestTwoWhoReadAtOnceMissNothing"},
	},
}
