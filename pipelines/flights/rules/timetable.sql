-- A carrier flies from here to there at this hour in the window before, too.
-- at most 18 % of rows

-- 0.4 % of an ordinary day's flights are new to their hour, 12 % on the day of a new timetable.
FROM examples
ANTI JOIN before USING (carrier, origin, dest, hour)
