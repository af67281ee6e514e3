-- A carrier flies from here to there in the window before, too.
-- at most 2 % of rows

-- New routes are rare: 0.2 % of the flights of an ordinary day of 2013, 1.4 % on 21 December. This share,
-- and those of the other rules, stand half as high again as the largest of the year.
FROM examples
ANTI JOIN before USING (carrier, origin, dest)
