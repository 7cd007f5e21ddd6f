-- Stamps events that are committed and have no stamp yet. Those of a task are
-- committed in its order, so whatever is seen here of a task is what comes next.
with unstamped as materialized (
    select task, seq, n, row_number() over (order by task, seq, n) as place
      from (select task, seq, n from tasker.events where stamp is null order by task, seq, n limit $1::int) next
), stamped as (
    update tasker.events e
       set stamp = stamps.last + u.place
      from unstamped u, tasker.stamps
     where e.task = u.task and e.seq = u.seq and e.n = u.n
 returning e.stamp
)
update tasker.stamps set last = greatest(last, (select max(stamp) from stamped)) where exists (select from stamped)
