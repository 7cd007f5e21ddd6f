-- Appends records to the logs of many tasks, each whole or not at all.
--
-- The primary key is the fence: a writer that is behind finds its position
-- taken, and gets nothing stored. No lock is needed for that. Nothing follows
-- a record that has ended its task, nothing is taken from the dead, and a task
-- that somebody has is not claimed. Sorted by task, so that two statements wait
-- for each other instead of locking each other out.
insert into tasker.records (task, seq, id, writer, events, ends)
select a.task, a.after + 1, a.id, a.writer, a.events, a.change = 3
  from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::smallint[])
       as a (task, after, id, writer, events, change)
 where exists (select from tasker.records last where last.task = a.task and last.seq = a.after and not last.ends)
   and (a.writer is null or exists (select from tasker.workers w where w.id = a.writer and not w.dead and w.expires_at > clock_timestamp()))
   and (a.change not in (1, 2)
        or exists (select from tasker.tasks t where t.id = a.task and (t.owner is null or t.owner = a.writer)))
 order by a.task
    on conflict do nothing
returning task, at
