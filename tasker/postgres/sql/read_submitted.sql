-- Who stands in the way of tasks that were not stored: themselves, stored by
-- an earlier call whose reply was lost, or the holder of their identity.
with wanted as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
                  with ordinality as w (id, namespace, name, identity, n)
), found as (
    select w.n, t.id, 1 as rank
      from wanted w
      join tasker.tasks t on t.id = w.id
     union all
    select w.n, t.id, 2
      from wanted w
      join tasker.tasks t on t.namespace = w.namespace and t.name = w.name and t.identity = w.identity
                         and t.identity is not null and t.holds_identity
)
select {row}, found.n
  from found
  join tasker.tasks t on t.id = found.id
 order by found.n, found.rank
