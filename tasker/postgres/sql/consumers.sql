-- How far each consumer has come. What has no stamp yet has been read by nobody.
select c.name, coalesce(c.held_until > clock_timestamp(), false), stamped.n + unstamped.n, least(stamped.oldest, unstamped.oldest)
  from tasker.consumers c
 cross join lateral (select count(*) as n, min(at) as oldest from tasker.events where stamp > c.done) stamped
 cross join (select count(*) as n, min(at) as oldest from tasker.events where stamp is null) unstamped
 order by c.name collate "C"
