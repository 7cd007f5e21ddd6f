-- Stores new tasks with their first records. A task that is there already, or
-- whose identity is held by another, is passed over: read_submitted.sql then
-- tells who it is. The rows come sorted by identity.
with submitted as (
    select s.id, s.environment, s.namespace, s.name, s.priority, s.parent, s.root, nullif(s.correlation_id, '') as correlation_id,
           s.tag, nullif(s.identity, '') as identity, s.retry_ended, s.input_hash, s.record, s.events, s.n,
           template.id as template, clock_timestamp() as at
      from unnest(
               $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::uuid[], $8::uuid[],
               $9::text[], $10::text[], $11::text[], $12::boolean[], $13::text[], $14::uuid[], $15::text[]
           ) with ordinality as s (id, hash, environment, namespace, name, priority, parent, root,
                   correlation_id, tag, identity, retry_ended, input_hash, record, events, n)
      join tasker.templates template on template.hash = s.hash
), stored as (
    insert into tasker.tasks (id, template, environment, namespace, name, priority, parent, root, correlation_id, tag,
                              identity, holds_identity, retry_ended, input_hash, state, ready, wake_at, created_at)
    select id, template, environment, namespace, name, priority, parent, root, correlation_id, tag,
           identity, identity is not null, retry_ended, input_hash, 'pending', true, at, at
      from submitted
     order by n
        on conflict do nothing
 returning id, created_at
), logged as (
    insert into tasker.records (task, seq, id, at, events)
    select stored.id, 1, submitted.record, stored.created_at, submitted.events
      from stored join submitted using (id)
)
select id, created_at from stored
