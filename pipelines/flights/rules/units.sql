-- The weather is told in the steps in which a station reads it: wind in whole knots, temperature and
-- dew point in tenths of °C, pressure in tenths of a millibar, rain in hundredths of an inch.

-- However it is told afterwards: the columns are miles an hour and °F. Another unit, or a value that
-- somebody filled in or smoothed, falls between the steps. A 32-bit float is good for .001 of them.
FROM examples
WHERE abs(wind_speed / 1.15078 - round(wind_speed / 1.15078)) > 0.02
  OR abs((temp - 32) / 0.18 - round((temp - 32) / 0.18)) > 0.02
  OR abs((dewp - 32) / 0.18 - round((dewp - 32) / 0.18)) > 0.02
  OR abs(pressure * 10 - round(pressure * 10)) > 0.02
  OR abs(precip * 100 - round(precip * 100)) > 0.02
