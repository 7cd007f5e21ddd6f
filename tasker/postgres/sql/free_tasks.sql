-- Lets others claim what the dead own: every time, not only at the moment of
-- death, since a claim may have been under way then.
update tasker.tasks t
   set owner = null, ready = true, wake_at = clock_timestamp()
  from tasker.workers w
 where w.dead and t.owner = w.id
