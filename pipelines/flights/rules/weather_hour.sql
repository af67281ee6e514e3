-- The weather is that of the airport in the hour of the scheduled departure.

-- ingest.sql joins the weather by its time in UTC; this does by its local date and hour.
WITH landed AS (
  SELECT origin, hour,
    (temp::FLOAT, dewp::FLOAT, humid::FLOAT, wind_speed::FLOAT, precip::FLOAT, pressure::FLOAT,
     visib::FLOAT) AS weather
  FROM read_parquet($source || '/weather.parquet')
  WHERE make_date(year, month, day) = $span::DATE
)
SELECT examples.*
FROM examples JOIN landed USING (origin, hour)
WHERE weather IS DISTINCT FROM (temp, dewp, humid, wind_speed, precip, pressure, visib)
