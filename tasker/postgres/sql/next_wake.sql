-- When the next task will want work by itself, and what time it is.
select clock_timestamp(), (
       select min(t.wake_at)
         from unnest($1::int[]) as w (template)
        cross join lateral (
              select wake_at from tasker.tasks
               where template = w.template and not ready and wake_at > now() and ($2::text = '' or tag = $2::text)
               order by wake_at
               limit 1
              ) t
       )
