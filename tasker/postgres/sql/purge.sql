-- Deletes what its term allows, in one statement: the logs of tasks that ended
-- so long ago and whose parents do not go on, and their identities after a
-- term of their own. A row goes once it has neither. A term of 0 has no end.
-- Who is locked is being purged by another worker.
with due as (
    select t.id, t.holds_identity,
           not t.purged and $1::bigint > 0 and t.finished_at <= clock_timestamp() - $1::bigint * interval '1 microsecond'
               and not exists (select from tasker.tasks parent where parent.id = t.parent and parent.finished_at is null) as log_is_due,
           t.holds_identity and $2::bigint > 0 and t.finished_at <= clock_timestamp() - $2::bigint * interval '1 microsecond' as key_is_due,
           t.purged
      from tasker.tasks t
     where t.finished_at is not null
       and (not t.purged and $1::bigint > 0 and t.finished_at <= clock_timestamp() - $1::bigint * interval '1 microsecond'
            and not exists (select from tasker.tasks parent where parent.id = t.parent and parent.finished_at is null)
            or t.holds_identity and $2::bigint > 0 and t.finished_at <= clock_timestamp() - $2::bigint * interval '1 microsecond')
     order by t.finished_at
     limit $3::int
       for update of t skip locked
), logs as (
    delete from tasker.records r using due where r.task = due.id and due.log_is_due
), rows as (
    delete from tasker.tasks t using due
     where t.id = due.id and (due.log_is_due or due.purged) and (due.key_is_due or not due.holds_identity)
), stubs as (
    update tasker.tasks t
       set purged = t.purged or due.log_is_due,
           holds_identity = t.holds_identity and not due.key_is_due
      from due
     where t.id = due.id
       and not ((due.log_is_due or due.purged) and (due.key_is_due or not due.holds_identity))
)
select count(*) from due
