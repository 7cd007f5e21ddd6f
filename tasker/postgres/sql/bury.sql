-- Declares those workers dead whose lease is over, by the database's clock.
-- Others may be doing the same: who is locked is being buried.
with late as (
    select id from tasker.workers where not dead and expires_at <= clock_timestamp() for update skip locked
)
update tasker.workers w set dead = true from late where w.id = late.id
