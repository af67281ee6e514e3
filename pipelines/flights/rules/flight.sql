-- A carrier has the flight's number in the window before, too.
-- at most 32 % of rows

-- 0.8 % of an ordinary day's numbers are new, 21 % on the day of a new timetable.
FROM examples
ANTI JOIN before USING (carrier, flight)
