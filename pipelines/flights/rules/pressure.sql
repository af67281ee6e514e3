-- The pressure is within 5 millibars of the hour's before, and within 4 of the other airports'.

-- In 2013 it changed by 3.7 at most from one hour to the next, and was 2.5 apart at most.
WITH hourly AS (
  SELECT origin, hour, any_value(pressure) AS pressure FROM examples GROUP BY origin, hour
)
SELECT DISTINCT examples.*
FROM examples JOIN hourly AS near
  ON (near.origin = examples.origin AND near.hour = examples.hour - 1
    AND abs(examples.pressure - near.pressure) > 5)
  OR (near.hour = examples.hour AND abs(examples.pressure - near.pressure) > 4)
