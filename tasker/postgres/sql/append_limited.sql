-- As append.sql, where claims have limits: no more tasks of a namespace are
-- owned by the living than its limit says. The namespaces are locked, so what
-- is counted here stands until the claims do.
with claims as (
    select a.task, a.most, t.namespace, t.owner,
           row_number() over (partition by t.namespace order by a.task) as place
      from unnest($1::uuid[], $7::int[]) as a (task, most)
      join tasker.tasks t on t.id = a.task
     where a.most > 0 and t.owner is null
), owned as (
    select wanted.namespace, sum(has.tasks) as tasks
      from (select distinct namespace from claims) wanted
     cross join tasker.workers w
     cross join lateral (select count(*) as tasks from tasker.tasks t where t.owner = w.id and t.namespace = wanted.namespace) has
     where not w.dead and w.expires_at > clock_timestamp()
     group by wanted.namespace
), beyond as (
    select claims.task
      from claims
      left join owned using (namespace)
     where claims.place + coalesce(owned.tasks, 0) > claims.most
)
insert into tasker.records (task, seq, id, writer, events, ends)
select a.task, a.after + 1, a.id, a.writer, a.events, a.change = 3
  from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::smallint[])
       as a (task, after, id, writer, events, change)
 where not exists (select from beyond where beyond.task = a.task)
   and exists (select from tasker.records last where last.task = a.task and last.seq = a.after and not last.ends)
   and (a.writer is null or exists (select from tasker.workers w where w.id = a.writer and not w.dead and w.expires_at > clock_timestamp()))
   and (a.change not in (1, 2)
        or exists (select from tasker.tasks t where t.id = a.task and (t.owner is null or t.owner = a.writer)))
 order by a.task
    on conflict do nothing
returning task, at
