-- Whoever claims under a limit counts alone, until the claim is done.
select n.name
  from tasker.namespaces n
 where n.name in (select t.namespace
                    from unnest($1::uuid[], $2::int[]) as a (task, most)
                    join tasker.tasks t on t.id = a.task
                   where a.most > 0)
 order by n.name
   for update
