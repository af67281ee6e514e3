-- No instrument of a station stands still all day.

-- Of eight hours or more, two were different on every day of 2013.
WITH hourly AS (
  SELECT DISTINCT origin, hour, temp, dewp, humid, wind_speed, pressure FROM examples
), readings AS (
  UNPIVOT hourly ON temp, dewp, humid, wind_speed, pressure INTO NAME instrument VALUE reading
)
FROM examples
SEMI JOIN (
  SELECT origin FROM readings GROUP BY origin, instrument
  HAVING count(*) >= 8 AND count(DISTINCT reading) = 1
) USING (origin)
