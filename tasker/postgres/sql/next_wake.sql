-- What time it is, and when the next task will want work by itself. It is the
-- time at which this transaction began, as in candidates.sql, so that the two
-- agree to the microsecond.
select now(), (
       select min(t.wake_at)
         from unnest($1::int[]) as w (template)
        cross join lateral (
              select wake_at from tasker.tasks
               where template = w.template and not ready and wake_at > now() and ($2::text = '' or tag = $2::text)
               order by wake_at
               limit 1
              ) t
       )
