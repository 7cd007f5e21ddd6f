-- Does to the rows of tasks what goes with appends that do not end them, in
-- their transaction: a claim, a release, an operator's poke and steering. A
-- change goes with a record that this transaction has stored, and with no other:
-- one that is sent again must not poke again. A change without a record wants
-- its position free. A release holds only if the poke is what its writer has
-- read; else the writer owns the task. Steering sets what nobody owns, and else
-- is no more than a poke: the owner, living or dead, keeps the task.
update tasker.tasks t
   set poke = t.poke + c.poke::int,
       state = case when c.change = 2 and t.poke = c.if_poke or c.change = 4 and t.owner is null then c.state
                    when c.change in (1, 2) then 'in_progress'
                    else t.state end,
       owner = case when c.change = 2 and t.poke = c.if_poke then null
                    when c.change in (1, 2) then c.writer
                    else t.owner end,
       ready = case c.change
                    when 0 then t.owner is null and (t.ready or c.poke)
                    when 1 then false
                    when 2 then t.poke = c.if_poke and c.wake_in_us = 0
                    else t.owner is null and c.wake_in_us = 0 end,
       wake_at = case when c.change = 0 and t.owner is null and c.poke then clock_timestamp()
                      when c.change = 0 then t.wake_at
                      when (c.change = 2 and t.poke = c.if_poke or c.change = 4 and t.owner is null) and c.wake_in_us >= 0
                      then coalesce(r.at, clock_timestamp()) + c.wake_in_us * interval '1 microsecond' end,
       awaits = case when c.change = 2 and t.poke = c.if_poke then nullif(c.awaits, '')::uuid[]
                     when c.change in (0, 4) then t.awaits end
  from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::smallint[], $6::text[], $7::bigint[], $8::bigint[], $9::boolean[], $10::text[])
       with ordinality as c (task, after, id, writer, change, state, wake_in_us, if_poke, poke, awaits, n)
  left join tasker.records r on r.task = c.task and r.seq = c.after + 1
 where t.id = c.task
   and t.finished_at is null
   and r.id is not distinct from c.id
   and (r.xmin = pg_current_xact_id()::xid
        or c.id is null and exists (select from tasker.records last where last.task = c.task and last.seq = c.after)
           and (c.writer is null or exists (select from tasker.workers w where w.id = c.writer and not w.dead and w.expires_at > clock_timestamp())))
   and (c.change in (0, 4) or t.owner is null or t.owner = c.writer)
returning c.n, coalesce(r.at, clock_timestamp()), c.change = 2 and t.owner is null, t.owner is not null
