update tasker.workers set dead = true where id = $1::uuid
