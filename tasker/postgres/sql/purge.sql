-- Deletes what its term allows, in one statement: the logs of tasks that ended
-- so long ago and whose parents do not go on and whose events were read by all
-- who read any, and their identities after a
-- term of their own. A row goes once it has neither. A term of 0 has no end.
-- Who is locked is being purged by another worker. Ids of tasks go from one part
-- to the next as arrays, so that each looks up a few rows by their key.
with terms as materialized (
    select case when $1::bigint > 0 then clock_timestamp() - $1::bigint * interval '1 microsecond' end as logs,
           case when $2::bigint > 0 then clock_timestamp() - $2::bigint * interval '1 microsecond' end as keys
), readers as materialized (
    select min(done) as slowest from tasker.consumers
), old as (
   (select t.id, t.finished_at
      from tasker.tasks t
     where t.finished_at <= (select logs from terms) and t.finished_at is not null and not (t.purged and t.holds_identity)
       and coalesce((select parent.finished_at is not null from tasker.tasks parent where parent.id = t.parent), true)
       and not exists (select from tasker.events e where e.task = t.id and (e.stamp is null and (select slowest from readers) is not null or e.stamp > (select slowest from readers)))
     order by t.finished_at
     limit $3::int)
     union
   (select t.id, t.finished_at
      from tasker.tasks t
     where t.finished_at <= (select keys from terms) and t.finished_at is not null and t.holds_identity
     order by t.finished_at
     limit $3::int)
), due as materialized (
    select t.id,
           t.purged or t.finished_at <= terms.logs
               and coalesce((select parent.finished_at is not null from tasker.tasks parent where parent.id = t.parent), true)
               and not exists (select from tasker.events e where e.task = t.id and (e.stamp is null and (select slowest from readers) is not null or e.stamp > (select slowest from readers))) as without_log,
           not t.holds_identity or coalesce(t.finished_at <= terms.keys, false) as without_key
      from tasker.tasks t, terms
     where t.id = any(array(select old.id from old order by old.finished_at limit $3::int))
       for update of t skip locked
), logs as (
    delete from tasker.records
     where ctid = any(array( -- records never move
           select log.ctid
             from due
            cross join lateral (select r.ctid from tasker.records r where r.task = due.id order by r.seq) log
            where due.without_log))
), events as (
    delete from tasker.events where task = any(array(select id from due where without_log))
), gone as (
    delete from tasker.tasks where id = any(array(select id from due where without_log and without_key))
), stubs as (
    update tasker.tasks
       set purged = true
     where id = any(array(select id from due where without_log and not without_key)) and not purged
), keyless as (
    update tasker.tasks
       set holds_identity = false
     where id = any(array(select id from due where without_key and without_log is not true)) and holds_identity
)
select count(*) from due
