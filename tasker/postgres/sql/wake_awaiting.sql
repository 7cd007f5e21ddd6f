-- Wakes released tasks of which an awaited one has ended, or is not there any
-- more. It looks at so many of those that await something, beginning after the
-- one at which the last look ended, so that a beat is short however many there
-- are; the answer says where this look ended, if it has not come to the last.
-- Who is locked is being claimed, or woken by another beat. What is awaited
-- goes with the wake, so that it is done once.
with looked as materialized (
    select t.id, t.awaits
      from tasker.tasks t
     where t.awaits is not null and t.id > $1::uuid
     order by t.id
     limit $2::int
), over as (
    select t.id
      from tasker.tasks t
     where t.id = any(array(
           select looked.id
             from looked
            where exists (
                  select from unnest(looked.awaits) as awaited (id)
                   where not exists (select from tasker.tasks other where other.id = awaited.id and other.finished_at is null))))
       and t.awaits is not null and t.owner is null
       for update skip locked
), woken as (
    update tasker.tasks t
       set poke = t.poke + 1, ready = true, wake_at = clock_timestamp(), awaits = null
     where t.id = any(array(select over.id from over))
 returning t.id
)
select (select count(*) from woken), (select looked.id from looked order by looked.id offset $2::int - 1)
