-- Ends the rows of tasks, in the transaction that has stored how they ended,
-- and pokes their parents. A record of another transaction does not count: one
-- that is sent again ends nothing again. A parent that ends here as well wants
-- no poke, and a row must not be changed twice in one statement.
with ended as (
    update tasker.tasks t
       set state = c.state, owner = null, ready = false, wake_at = null, finished_at = r.at,
           awaits = null, poke = t.poke + c.poke::int
      from unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::boolean[])
           with ordinality as c (task, after, id, state, poke, n)
      join tasker.records r on r.task = c.task and r.seq = c.after + 1 and r.id = c.id
     where t.id = c.task and t.finished_at is null and r.xmin = pg_current_xact_id()::xid
 returning c.n, t.id, t.parent
), poked as (
    update tasker.tasks parent
       set poke = parent.poke + 1,
           ready = parent.ready or parent.owner is null and parent.finished_at is null,
           wake_at = case when parent.owner is null and parent.finished_at is null then clock_timestamp() else parent.wake_at end
      from (select distinct ended.parent as id from ended where ended.parent is not null order by 1) child
     where parent.id = child.id
       and not exists (select from ended where ended.id = child.id)
 returning parent.id, parent.owner is not null as owned
)
select n, null::uuid, false from ended
 union all
select null, id, owned from poked
