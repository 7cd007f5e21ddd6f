-- Operators, waits for other tasks, limits, terms, and who can run what.

-- What a released task waits for, besides its children, which poke it
-- themselves. Every beat looks into it, and there is little to look into: it is
-- null for every task that a worker has.
alter table tasker.tasks add column awaits uuid[];

-- The log was deleted, and the row stays for its identity.
alter table tasker.tasks add column purged boolean not null default false;

create index tasks_awaiting on tasker.tasks (id) where awaits is not null;

-- Those that wait for nothing but a poke. Together with tasks_ready,
-- tasks_asleep and tasks_owned these are all that have not ended, so that they
-- are found among many that have.
create index tasks_parked on tasker.tasks (id) where finished_at is null and owner is null and not ready and wake_at is null;

-- For purging, which wants the oldest end first. A B-tree, since a BRIN index
-- knows no order, and the rows of tasks are not in the order of their ends. New
-- ends go to its last page, so it costs the end of a task little. What stays
-- for good is left out: a row without a log whose identity has no end.
create index tasks_ended on tasker.tasks (finished_at) where finished_at is not null and not (purged and holds_identity);
create index tasks_ended_with_identity on tasker.tasks (finished_at) where finished_at is not null and holds_identity;

-- A limit on the tasks of a namespace that are owned at once is kept by its
-- row, which is locked from the count to the claim.
create table tasker.namespaces (
    name text primary key
);

-- The templates that a worker has every handler of, each as namespace/hash.
-- Null: the worker's program is too old to say.
alter table tasker.workers add column templates text[];

-- Everything that happened, an event a row.
create or replace view tasker.history as
select r.task, r.seq, r.at, r.writer,
       e.event ->> 'kind' as kind,
       e.event ->> 'step' as step,
       (e.event ->> 'attempt')::int as attempt,
       e.event, e.position,
       coalesce((e.event ->> 'undo')::boolean, false) as undo, -- of the step's compensation
       e.event ->> 'actor' as actor,
       e.event ->> 'reason' as reason
  from tasker.records r
 cross join lateral json_array_elements(r.events::json) with ordinality as e (event, position);

-- The steps of every task as they stand, in the template's order. A step is
-- where the last event about it has left it, and its compensation, null when
-- there is none, where the last event about that has. What is open when the
-- task ends is cancelled; so is, once undoing has begun, what waits. A task
-- whose log was deleted has no steps any more.
create or replace view tasker.steps as
select t.id as task, t.namespace, t.name, s.step, s.position,
       case when t.finished_at is not null and coalesce(last.state, 'pending') in ('pending', 'in_progress', 'waiting_for_retry', 'waiting')
              or undoing.task is not null and coalesce(last.state, 'pending') in ('pending', 'waiting_for_retry', 'waiting')
            then 'cancelled'
            else coalesce(last.state, 'pending')
       end as state,
       last.at as since,
       case when t.finished_at is not null and last.compensation in ('pending', 'in_progress', 'waiting_for_retry', 'waiting')
            then 'cancelled'
            else last.compensation
       end as compensation
  from tasker.tasks t
  join tasker.templates template on template.id = t.template
 cross join lateral unnest(template.steps) with ordinality as s (step, position)
  left join (
        select h.task, h.step,
               (array_agg(after.state order by h.seq desc, h.position desc) filter (where not h.undo))[1] as state,
               (array_agg(h.at order by h.seq desc, h.position desc) filter (where not h.undo))[1] as at,
               (array_agg(after.state order by h.seq desc, h.position desc) filter (where h.undo))[1] as compensation
          from tasker.history h
          join (values ('started', 'in_progress'),
                       ('completed', 'complete'),
                       ('retrying', 'waiting_for_retry'),
                       ('failed', 'error'),
                       ('lost', 'pending'),
                       ('withdrawn', 'pending'),
                       ('parked', 'waiting'),
                       ('answered', 'pending'),
                       ('retried_by_hand', 'pending'),
                       ('completed_by_hand', 'complete'),
                       ('failed_by_hand', 'error'),
                       ('resolved_by_hand', 'resolved_manually')
               ) as after (kind, state) on after.kind = h.kind
         group by h.task, h.step
       ) last on last.task = t.id and last.step = s.step
  left join (
        select distinct h.task from tasker.history h where h.kind = 'undoing'
       ) undoing on undoing.task = t.id
 where not t.purged;
