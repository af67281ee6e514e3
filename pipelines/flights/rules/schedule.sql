-- A flight is scheduled when its own clock says: sched_dep_time, and time_hour in New York.

-- Upstream tells the departure three times over: as hour and minute, as one number such as 1540, and
-- as a time in UTC. A shifted hour or a wrong time zone rarely shifts all three.
SELECT examples.*
FROM examples
ANTI JOIN (
  SELECT carrier, flight, origin, sched_dep_time // 100 * 60 + sched_dep_time % 100 AS minute
  FROM read_parquet($source || '/flights.parquet')
  WHERE time_hour AT TIME ZONE 'America/New_York'
    = make_timestamp(year, month, day, sched_dep_time // 100, 0, 0)
) USING (carrier, flight, origin, minute)
