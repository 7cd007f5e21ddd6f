-- What time it is, and when the next task will want work by itself.
with clock as materialized (
    select clock_timestamp() as now
)
select clock.now, (
       select min(t.wake_at)
         from unnest($1::int[]) as w (template)
        cross join lateral (
              select wake_at from tasker.tasks
               where template = w.template and not ready and wake_at > clock.now and ($2::text = '' or tag = $2::text)
               order by wake_at
               limit 1
              ) t
       )
  from clock
