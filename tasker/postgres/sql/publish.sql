-- Stores the domain events of records that this transaction has stored. A
-- record of another transaction does not count: one that is sent again
-- publishes nothing again.
insert into tasker.events (task, seq, n, name, at, event)
select e.task, r.seq, e.n, e.name, r.at, e.event
  from unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::text[], $6::text[]) as e (task, after, id, n, name, event)
  join tasker.records r on r.task = e.task and r.seq = e.after + 1 and r.id = e.id
 where r.xmin = pg_current_xact_id()::xid
 order by e.task, e.n
