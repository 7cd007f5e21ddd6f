select exists (select from tasker.tasks where id = $1::uuid and purged)
