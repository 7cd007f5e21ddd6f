-- One at a time stamps. This is a statement of its own, so that the next one sees
-- what the one before has stamped.
select last from tasker.stamps for update
