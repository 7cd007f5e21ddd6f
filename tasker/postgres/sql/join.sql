-- A worker's first beat. It may come twice, when the first answer was lost.
insert into tasker.workers as w (id, expires_at, templates)
values ($1::uuid, clock_timestamp() + $2::bigint * interval '1 microsecond', $3::text[])
    on conflict (id) do update set expires_at = excluded.expires_at, templates = excluded.templates where not w.dead
