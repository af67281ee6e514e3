-- The dew point is not above the temperature.

FROM examples
WHERE dewp > temp + 0.1
