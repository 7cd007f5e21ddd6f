-- Gives a consumer up, but not while somebody reads for it. The answer tells
-- whether there was one, and whether there still is.
with known as (
    select name, coalesce(held_until > clock_timestamp(), false) as held from tasker.consumers where name = $1::text for update
), gone as (
    delete from tasker.consumers c using known where c.name = known.name and not known.held
)
select held from known
