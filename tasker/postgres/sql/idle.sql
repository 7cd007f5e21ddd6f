-- A condition: the task has not ended, and nothing happened to it for so long.
t.finished_at is null
   and (select last.at from tasker.records last where last.task = t.id order by last.seq desc limit 1)
       <= clock_timestamp() - $::bigint * interval '1 microsecond'
