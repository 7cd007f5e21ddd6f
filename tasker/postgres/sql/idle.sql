-- A condition on a task that has not ended: nothing happened to it for so long.
(select last.at from tasker.records last where last.task = t.id order by last.seq desc limit 1)
    <= clock_timestamp() - $::bigint * interval '1 microsecond'
