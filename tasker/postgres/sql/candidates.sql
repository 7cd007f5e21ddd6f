-- Tasks that want work, with their logs: round the namespaces, within one by
-- priority and age, or by age alone. Reading them locks nothing: the claim is an
-- append.
with wanted as (
    select * from unnest($1::int[], $2::text[]) as w (number, namespace)
), found as (
    select t.*
      from wanted w
     cross join lateral (
           select * from tasker.tasks
            where template = w.number and ready and ($3::text = '' or tag = $3::text)
            order by priority desc, id
            limit $4::int
           ) t
     union all
    select t.*
      from wanted w
     cross join lateral (
           select * from tasker.tasks
            where template = w.number and not ready and wake_at <= now() and ($3::text = '' or tag = $3::text)
            order by wake_at
            limit $4::int
           ) t
), picked as materialized (
    select *
      from (
            select found.*, row_number() over (partition by namespace order by case when $5::boolean then 0 else priority end desc, id) as turn
              from found
             order by turn, random()
             limit 1000 -- tells the planner that these are few
           ) first
     limit $4::int
)
select {row}, r.seq, r.id, r.writer, r.at, r.events
  from picked t
 cross join lateral (
       select * from tasker.records where task = t.id order by seq
       ) r
 order by t.turn, t.namespace, t.id, r.seq
