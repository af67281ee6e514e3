-- One row a flight that was scheduled on $span, with what is known before it departs, and whether
-- it came in late. DuckDB binds $span (2013-02-08) and $source (the folder that the day landed in).
SELECT
  f.carrier,
  f.flight,
  f.origin,
  f.dest,
  f.hour,                                -- of the scheduled departure, local time
  f.hour * 60 + f.minute AS minute,      -- of the day, scheduled, local time
  isodow(make_date(f.year::INT, f.month::INT, f.day::INT)) AS weekday,  -- 1 is Monday
  f.distance,
  -- The weather at the origin in the hour of the scheduled departure. It is measured at that hour;
  -- a client asks with the forecast for it.
  w.temp,
  w.dewp,
  w.humid,
  w.wind_speed,
  w.precip,
  w.pressure,
  w.visib,
  -- Never dep_delay, arr_time, air_time: nobody knows them before departure, and a model fed with
  -- them knows the answer. The month is left out too: four weeks hold one or two of them.
  (f.arr_delay > 15)::INT AS late,       -- NULL for a flight that never came in
  CASE WHEN make_date(f.year::INT, f.month::INT, f.day::INT) <> $span::DATE
    THEN 'is of another day' END AS rejected
FROM read_parquet($source || '/flights.parquet') AS f
LEFT JOIN read_parquet($source || '/weather.parquet') AS w USING (origin, time_hour)
