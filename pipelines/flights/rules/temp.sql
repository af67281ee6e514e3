-- The temperature changes by less than 10 °F from one hour to the next.
-- at most 6 % of rows

-- A front passed within an hour of 4 % of a day's flights in 2013, never more.
WITH hourly AS (
  SELECT origin, hour, any_value(temp) AS temp FROM examples GROUP BY origin, hour
)
SELECT examples.*, earlier.temp AS temp_an_hour_earlier
FROM examples JOIN hourly AS earlier
  ON earlier.origin = examples.origin AND earlier.hour = examples.hour - 1
WHERE abs(examples.temp - earlier.temp) > 10
