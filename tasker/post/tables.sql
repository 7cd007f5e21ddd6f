-- What the runs of the posts keep besides their tasks, in a schema of their
-- own.
create schema if not exists tasker_posts;

-- A run is one go of a command. It is over once it has been reported. One that
-- is not over, and that nobody beats for, is there to be gone on with by the
-- same command.
create table if not exists tasker_posts.runs (
    tag        text primary key,    -- of its tasks
    post       text not null,
    task       text not null,       -- namespace/name@version
    template   text not null,       -- the hash of its text
    environment text not null,
    input      text not null,       -- the hash of the task's context
    tasks      int not null,        -- how many were asked for
    started_at timestamptz not null default clock_timestamp(),
    beat_at    timestamptz,         -- the last sign of life; null when its process has let go of it
    over_at    timestamptz
);

create index if not exists runs_to_go_on_with on tasker_posts.runs (post, input) where over_at is null;

-- The simulated world of a run: the ledger, the stock. A writer names the
-- version that follows the one it has read, so that who is behind stores
-- nothing.
create table if not exists tasker_posts.worlds (
    tag     text not null references tasker_posts.runs on delete cascade,
    root    uuid not null,          -- the task whose world it is
    name    text not null,
    version bigint not null,
    value   json not null,
    primary key (tag, root, name)
);
