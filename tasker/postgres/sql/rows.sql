-- A list of tasks; the conditions and the order follow.
select {row}
  from tasker.tasks t
