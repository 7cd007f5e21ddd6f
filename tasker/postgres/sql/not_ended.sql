-- A condition: the task has not ended. It says so in the words of the four
-- indexes that have all of those together, so that few are found among many
-- that have ended.
(t.ready or t.owner is not null or not t.ready and t.wake_at is not null
 or t.finished_at is null and t.owner is null and not t.ready and t.wake_at is null)
