-- A route is as long as it was in the window before, to the mile.

WITH known AS (
  SELECT origin, dest, median(distance) AS known_distance FROM before GROUP BY origin, dest
)
SELECT examples.*, known_distance
FROM examples JOIN known USING (origin, dest)
WHERE abs(distance - known_distance) > 1.5
