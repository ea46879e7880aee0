/*
description: Each airport and day as an operations desk looks at it, with the seven-day trend.
partition_by: [month]
columns:
  month: First day of the month; the table is stored by it.
  trend_dep_delay_min: Mean departure delay over this and the six days before.
contract:
  rules:
    - {rule: unique, columns: [origin, flight_date]}
    - {rule: row_count, min: 1000, max: 1200}
*/
WITH days AS (
    SELECT
        origin,
        make_date(year, month, day) AS flight_date,
        count(*) AS scheduled,
        count(dep_time) AS flown,
        avg(dep_delay) AS mean_dep_delay_min,
        max(dep_delay) AS max_dep_delay_min
    FROM nyc.flights
    GROUP BY origin, flight_date
)
SELECT
    date_trunc('month', flight_date)::DATE AS month,
    origin,
    flight_date,
    scheduled,
    flown,
    scheduled - flown AS cancelled,
    mean_dep_delay_min,
    max_dep_delay_min,
    avg(mean_dep_delay_min) OVER (
        PARTITION BY origin ORDER BY flight_date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW
    ) AS trend_dep_delay_min
FROM days
