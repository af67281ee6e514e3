-- Flights that leave an airport in the same hour leave in the same weather.

FROM examples
QUALIFY count(DISTINCT (temp, dewp, humid, wind_speed, precip, pressure, visib))
  OVER (PARTITION BY origin, hour) > 1
