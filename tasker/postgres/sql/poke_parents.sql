-- A child's end pokes its parent, in the transaction that ends it. Few tasks
-- are children, so that is looked at first.
update tasker.tasks parent
   set poke = parent.poke + ended.n,
       ready = parent.ready or parent.owner is null and parent.finished_at is null,
       wake_at = case when parent.owner is null and parent.finished_at is null then clock_timestamp() else parent.wake_at end
  from (
        select child.parent, count(*) as n
          from (
                select c.*, t.parent
                  from unnest($1::uuid[], $2::int[], $3::uuid[]) as c (task, after, id)
                  join tasker.tasks t on t.id = c.task
                 where t.parent is not null
                offset 0
               ) child
          join tasker.records r on r.task = child.task and r.seq = child.after + 1 and r.id = child.id and r.xmin = pg_current_xact_id()::xid
         group by child.parent
       ) ended
 where parent.id = ended.parent
returning parent.id, parent.owner is not null
