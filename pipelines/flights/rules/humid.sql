-- The humidity is what temperature and dew point give, within 5 per cent.
-- at most 20 % of rows

-- The Magnus formula over water, with the coefficients of Alduchov & Eskridge (1996), in °C. A station
-- that reports within the hour tells a humidity of another minute: so for 1 % of the flights of an
-- ordinary day of 2013, and for 13 % in a day of thunderstorms.
WITH celsius AS (
  SELECT *, (temp - 32) / 1.8 AS t, (dewp - 32) / 1.8 AS d FROM examples
)
SELECT * EXCLUDE (t, d),
  100 * exp(17.625 * d / (243.04 + d) - 17.625 * t / (243.04 + t)) AS by_the_formula
FROM celsius
WHERE abs(by_the_formula - humid) > 5
