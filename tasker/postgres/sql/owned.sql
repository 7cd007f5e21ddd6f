-- What a worker owns; the first row has no task and tells the time.
select null::uuid, 0::bigint, clock_timestamp()
 union all
(select id, poke, null from tasker.tasks where owner = $1::uuid order by id)
