-- What happens to a task is an append-only log, and that is tasker.records.
-- The other tables say where to look: tasks has a row a task for whoever wants
-- work or a list, workers says who lives, templates keeps the texts that tasks
-- began with.

create table tasker.templates (
    id        int generated always as identity primary key,
    namespace text not null,
    name      text not null,
    version   text not null,
    hash      text not null unique, -- of the source
    source    text not null,
    steps     text[] not null,      -- their names in order
    saved_at  timestamptz not null default clock_timestamp()
);

create index templates_by_name on tasker.templates (namespace, name, version);

-- A worker is one row with a lease. Its tasks need no heartbeat of their own.
-- Death is final: a row that is dead is never renewed, and stays for an hour,
-- so that a claim which was under way when its worker died is found by the
-- next sweep.
create table tasker.workers (
    id         uuid primary key,
    expires_at timestamptz not null,
    dead       boolean not null default false
) with (fillfactor = 50);

-- A task's row is touched when the task is claimed, released and finished, not
-- for each step. Its state is exact while nobody owns it.
create table tasker.tasks (
    id             uuid primary key,
    template       int not null,    -- of tasker.templates; checked by the insert, since a foreign key would look again for each row
    environment    text not null,
    namespace      text not null,
    name           text not null,
    priority       int not null,
    parent         uuid,
    root           uuid,            -- null: itself
    correlation_id text,            -- null: its id
    tag            text not null,
    identity       text,            -- unique within namespace and name, as long as it is held
    holds_identity boolean not null,
    retry_ended    boolean not null,
    input_hash     text not null,
    state          text not null,
    owner          uuid,            -- of tasker.workers
    ready          boolean not null, -- wants work now
    wake_at        timestamptz,     -- wants work then
    poke           bigint not null default 0,
    created_at     timestamptz not null,
    finished_at    timestamptz
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create unique index tasks_identity on tasker.tasks (namespace, name, identity) where identity is not null and holds_identity;
create index tasks_ready on tasker.tasks (template, priority desc, id) where ready;
create index tasks_asleep on tasker.tasks (template, wake_at) where wake_at is not null and not ready;
create index tasks_owned on tasker.tasks (owner) where owner is not null;
create index tasks_children on tasker.tasks (parent) where parent is not null;

-- For lists of what needs a look: the states that a task passes through on its
-- usual way are left out, so that the usual way does not pay for this.
create index tasks_by_state on tasker.tasks (state, id) where state not in ('pending', 'in_progress', 'complete');

-- One append is one row. The primary key is the fence: who is behind finds its
-- position taken.
create table tasker.records (
    task   uuid not null,
    seq    int not null,
    id     uuid not null,           -- made by the writer, who knows its record by it after a lost reply
    writer uuid,                    -- a worker; null for clients and operators
    at     timestamptz not null default clock_timestamp(),
    events text not null,           -- a JSON array. Not of type json, which would be parsed on its way in
    ends   boolean not null default false, -- nothing follows
    primary key (task, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.1);

-- The steps of every task as they stand, in the template's order. A step is
-- where the last event about it has left it; the end of a task leaves no step
-- open.
create view tasker.steps as
select t.id as task, t.namespace, t.name, s.step, s.position,
       case when t.finished_at is not null and coalesce(last.state, 'pending') in ('pending', 'in_progress', 'waiting_for_retry')
            then 'cancelled'
            else coalesce(last.state, 'pending')
       end as state,
       last.at as since
  from tasker.tasks t
  join tasker.templates template on template.id = t.template
 cross join lateral unnest(template.steps) with ordinality as s (step, position)
  left join (
        select distinct on (r.task, e.event ->> 'step')
               r.task, e.event ->> 'step' as step, r.at,
               case e.event ->> 'kind'
                    when 'started' then 'in_progress'
                    when 'completed' then 'complete'
                    when 'retrying' then 'waiting_for_retry'
                    when 'failed' then 'error'
                    when 'lost' then 'pending'
                    when 'withdrawn' then 'pending'
               end as state
          from tasker.records r
         cross join lateral json_array_elements(r.events::json) with ordinality as e (event, position)
         where e.event ->> 'step' is not null
         order by r.task, e.event ->> 'step', r.seq desc, e.position desc
       ) last on last.task = t.id and last.step = s.step;

-- Everything that happened, an event a row.
create view tasker.history as
select r.task, r.seq, r.at, r.writer,
       e.event ->> 'kind' as kind,
       e.event ->> 'step' as step,
       (e.event ->> 'attempt')::int as attempt,
       e.event, e.position
  from tasker.records r
 cross join lateral json_array_elements(r.events::json) with ordinality as e (event, position);
