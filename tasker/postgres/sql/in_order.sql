-- For the next statement of this transaction: the claim indexes give what
-- wants work in its order, and reading them by a bitmap would lose that. A
-- planner without statistics, in a young or a small table, does not see it.
select set_config('enable_bitmapscan', 'off', true)
