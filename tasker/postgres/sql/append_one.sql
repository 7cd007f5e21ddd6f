-- The plain path of an append that changes no row: a step on an idle system.
insert into tasker.records (task, seq, id, writer, events, ends)
select last.task, last.seq + 1, $3::uuid, $4::uuid, $5::text, false
  from tasker.records last
 where last.task = $1::uuid and last.seq = $2::int and not last.ends
   and ($4::uuid is null or exists (select from tasker.workers w where w.id = $4::uuid and not w.dead and w.expires_at > clock_timestamp()))
    on conflict do nothing
returning at
