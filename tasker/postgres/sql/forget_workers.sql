delete from tasker.workers w
 where w.dead and w.expires_at < clock_timestamp() - interval '1 hour'
   and not exists (select from tasker.tasks t where t.owner = w.id)
