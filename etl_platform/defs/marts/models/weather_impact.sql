/*
description: How departure delays grow with the weather at the origin, by kind of hour.
columns:
  conditions: The worst condition that held, in the order snow, heavy rain, rain, fog, wind, clear.
contract:
  rules:
    - {rule: unique, columns: [origin, conditions]}
    - {rule: set, column: conditions, values: [snow, heavy rain, rain, fog, wind, clear, unknown]}
*/
WITH hours AS (
    SELECT
        origin,
        dep_delay_min,
        CASE
            WHEN temp_f IS NULL THEN 'unknown'
            WHEN precip_in > 0 AND temp_f <= 34 THEN 'snow'
            WHEN precip_in >= 0.1 THEN 'heavy rain'
            WHEN precip_in > 0 THEN 'rain'
            WHEN visibility_miles < 3 THEN 'fog'
            WHEN wind_mph >= 25 THEN 'wind'
            ELSE 'clear'
        END AS conditions
    FROM marts.flight_delays
)
SELECT
    origin,
    conditions,
    count(*) AS flights,
    avg(dep_delay_min) AS mean_dep_delay_min,
    avg(dep_delay_min) - first_value(avg(dep_delay_min)) OVER (
        PARTITION BY origin ORDER BY conditions <> 'clear'
    ) AS extra_delay_min
FROM hours
GROUP BY origin, conditions
