select id from tasker.workers where dead
