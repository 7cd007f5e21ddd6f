select stamp, at, event from tasker.events where stamp > $1::bigint order by stamp limit $2::int
