/*
description: Punctuality of each airline over the year, cancellations included.
columns:
  on_time_share: Share of flown flights that left at most 15 minutes late, the industry's measure.
  cancelled_share: Share of scheduled flights that never left.
contract:
  rules:
    - {rule: unique, column: carrier}
    - {rule: range, column: on_time_share, min: 0, max: 1}
    - {rule: range, column: cancelled_share, min: 0, max: 1}
*/
WITH scheduled AS (
    SELECT
        carrier,
        count(*) AS flights,
        count(*) FILTER (WHERE dep_time IS NULL) AS cancelled
    FROM nyc.flights
    GROUP BY carrier
)
SELECT
    s.carrier,
    d.airline,
    s.flights,
    s.cancelled / s.flights AS cancelled_share,
    avg(d.dep_delay_min) AS mean_dep_delay_min,
    median(d.dep_delay_min) AS median_dep_delay_min,
    quantile_cont(d.dep_delay_min, 0.95) AS p95_dep_delay_min,
    count(*) FILTER (WHERE d.dep_delay_min <= 15) / count(*) AS on_time_share
FROM marts.flight_delays AS d
JOIN scheduled AS s ON s.carrier = d.carrier
GROUP BY s.carrier, d.airline, s.flights, s.cancelled
