-- A strict identity is free again once its task has ended without success.
update tasker.tasks t
   set holds_identity = false
  from unnest($1::text[], $2::text[], $3::text[]) as wanted (namespace, name, identity)
 where t.namespace = wanted.namespace and t.name = wanted.name and t.identity = wanted.identity
   and t.holds_identity and t.state in ('error', 'cancelled')
