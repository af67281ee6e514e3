-- A route has one distance, to the mile.

-- Eagle is told as 1725 and as 1726 miles from Newark: no two distances lie further apart.
FROM examples
WHERE dest IS NOT NULL
QUALIFY max(distance) OVER (PARTITION BY origin, dest) - min(distance) OVER (PARTITION BY origin, dest) > 1.5
