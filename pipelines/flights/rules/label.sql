-- A flight is late when the clocks say so: it arrived more than 15 minutes after its scheduled arrival.

-- ingest.sql takes the label from arr_delay; this takes it from the two clocks, whose difference is
-- the delay on every flight of 2013. They show no date: 22 hours late is told from 2 hours early by
-- the year's earliest arrival, 86 minutes before its time, and its latest, 21 hours after.
WITH landed AS (
  SELECT carrier, flight, origin, hour * 60 + minute AS minute,
    sched_arr_time, arr_time, arr_delay, air_time,
    arr_time // 100 * 60 + arr_time % 100 - sched_arr_time // 100 * 60 - sched_arr_time % 100 AS apart
  FROM read_parquet($source || '/flights.parquet')
)
SELECT carrier, flight, origin, minute, late,
  -- One that was diverted never came in, though a clock saw it land elsewhere.
  CASE WHEN air_time IS NOT NULL THEN ((apart + 1440) % 1440 BETWEEN 16 AND 1320)::INT END AS by_the_clocks,
  sched_arr_time, arr_time, arr_delay
FROM examples JOIN landed USING (carrier, flight, origin, minute)
WHERE late IS DISTINCT FROM by_the_clocks
