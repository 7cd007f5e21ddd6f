select {row}, r.seq, r.id, r.writer, r.at, r.events, clock_timestamp()
  from tasker.tasks t
  join tasker.records r on r.task = t.id
 where t.id = $1::uuid
 order by r.seq
