-- Lets others claim what a dead worker owns: at every beat, not only at the
-- moment of death, since a claim may have been under way then.
update tasker.tasks
   set owner = null, ready = true, wake_at = clock_timestamp()
 where owner = $1::uuid
