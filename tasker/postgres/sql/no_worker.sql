-- A condition on a task that has not ended: nobody who lives has its handlers.
-- A worker whose program is too old to say may have any.
not exists (
    select from tasker.workers w
     where not w.dead and w.expires_at > clock_timestamp()
       and (w.templates is null
            or exists (select from tasker.templates known
                        where known.id = t.template and known.namespace || '/' || known.hash = any(w.templates))))
