update tasker.workers
   set expires_at = clock_timestamp() + $2::bigint * interval '1 microsecond', templates = $3::text[]
 where id = $1::uuid and not dead
