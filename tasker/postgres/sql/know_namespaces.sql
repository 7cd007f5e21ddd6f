-- Every namespace with a limit has a row that can be locked.
insert into tasker.namespaces (name)
select distinct t.namespace
  from unnest($1::uuid[], $2::int[]) as a (task, most)
  join tasker.tasks t on t.id = a.task
 where a.most > 0
 order by 1
    on conflict do nothing
