-- The weather of an hour is not that of an earlier day.
-- at most 5 % of rows

FROM examples
SEMI JOIN before USING (origin, hour, temp, dewp, humid, wind_speed, precip, pressure)
