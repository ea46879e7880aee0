/*
description: The twenty worst days of the year at each airport, with the weather that came with them.
contract:
  rules:
    - {rule: unique, columns: [origin, rank]}
    - {rule: row_count, min: 60, max: 60}
*/
WITH ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY origin ORDER BY mean_dep_delay_min DESC) AS rank
    FROM marts.daily_operations
),
weather AS (
    SELECT
        origin,
        make_date(year, month, day) AS flight_date,
        sum(precip) AS precip_in,
        max(wind_speed) AS max_wind_mph,
        min(visib) AS min_visibility_miles
    FROM nyc.weather
    GROUP BY origin, flight_date
)
SELECT
    r.origin,
    r.rank,
    r.flight_date,
    r.scheduled,
    r.cancelled,
    r.mean_dep_delay_min,
    w.precip_in,
    w.max_wind_mph,
    w.min_visibility_miles
FROM ranked AS r
LEFT JOIN weather AS w ON w.origin = r.origin AND w.flight_date = r.flight_date
WHERE r.rank <= 20
