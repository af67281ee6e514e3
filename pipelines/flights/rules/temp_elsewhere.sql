-- The temperature is within 20 °F of that at the other airports.
-- at most 2.5 % of rows

-- They lie within 20 miles; a sea breeze at Kennedy did this to 1.5 % of a day's flights in 2013.
WITH hourly AS (
  SELECT origin, hour, any_value(temp) AS temp FROM examples GROUP BY origin, hour
)
SELECT examples.*, elsewhere
FROM examples
JOIN (SELECT hour, median(temp) AS elsewhere FROM hourly GROUP BY hour) USING (hour)
WHERE abs(temp - elsewhere) > 20
