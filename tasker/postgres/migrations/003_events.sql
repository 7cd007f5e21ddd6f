-- Durable domain events, and those who read them.

-- An event goes with a record, in its transaction. Its stamp is its place in the
-- order in which it is read. It gets one once it is committed, since the order
-- in which transactions commit is not that in which they wrote.
create table tasker.events (
    task  uuid not null,
    seq   int not null,             -- of the record
    n     int not null,             -- within the record
    name  text not null,
    at    timestamptz not null,     -- the record's
    event text not null,            -- JSON
    stamp bigint,
    primary key (task, seq, n)
) with (fillfactor = 80);

create unique index events_stamped on tasker.events (stamp) where stamp is not null;
create index events_unstamped on tasker.events (task, seq, n) where stamp is null;

-- One row, the last stamp. Whoever stamps locks it.
create table tasker.stamps (
    last bigint not null
);
insert into tasker.stamps (last) values (0);

-- How far each consumer has come, and who reads for it now.
create table tasker.consumers (
    name       text primary key,
    done       bigint not null default 0,
    held_by    uuid,
    held_until timestamptz
);
