select exists (select from tasker.events where stamp is null)
