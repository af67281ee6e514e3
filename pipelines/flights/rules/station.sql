-- A row of the weather says where and when, is of the day, and there is one an hour.

SELECT origin, time_hour, year, month, day
FROM read_parquet($source || '/weather.parquet')
QUALIFY origin IS NULL OR time_hour IS NULL
  OR make_date(year, month, day) IS DISTINCT FROM $span::DATE
  OR count(*) OVER (PARTITION BY origin, time_hour) > 1
