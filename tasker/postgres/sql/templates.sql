select id, namespace, name, version, hash, source, array_to_json(steps)::text
  from tasker.templates
 order by namespace collate "C", name collate "C", version collate "C", id
