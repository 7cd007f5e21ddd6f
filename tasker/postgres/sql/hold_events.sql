-- Begins to read for a consumer, or goes on to. Nobody else may, until the time
-- is over in which whoever does was heard of.
insert into tasker.consumers as c (name, held_by, held_until)
values ($1::text, $2::uuid, clock_timestamp() + $3::bigint * interval '1 microsecond')
    on conflict (name) do update
   set held_by = excluded.held_by, held_until = excluded.held_until
 where c.held_by is null or c.held_by = excluded.held_by or c.held_until <= clock_timestamp()
returning done
