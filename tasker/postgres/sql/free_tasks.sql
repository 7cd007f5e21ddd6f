-- Lets others claim what the dead own: every time, not only at the moment of
-- death, since a claim may have been under way then.
update tasker.tasks
   set owner = null, ready = true, wake_at = clock_timestamp()
 where owner is not null and owner = any (array(select id from tasker.workers where dead))
