update tasker.consumers
   set done = greatest(done, $3::bigint), held_until = clock_timestamp() + $4::bigint * interval '1 microsecond'
 where name = $1::text and held_by = $2::uuid
returning done
