/*
description: Every route out of New York with its traffic, speed and punctuality.
contract:
  rules:
    - {rule: unique, columns: [origin, dest]}
    - {rule: foreign_key, column: dest, references: nyc.airports.faa}
    - {rule: range, column: distance_miles, min: 50, max: 6000}
*/
SELECT
    d.origin,
    d.dest,
    ap.name AS dest_name,
    ap.lat AS dest_lat,
    ap.lon AS dest_lon,
    max(d.distance_miles) AS distance_miles,
    count(*) AS flights,
    count(DISTINCT d.carrier) AS carriers,
    avg(d.arr_delay_min) AS mean_arr_delay_min,
    60 * sum(d.distance_miles) FILTER (WHERE d.air_time_min > 0)
        / nullif(sum(d.air_time_min), 0) AS mean_speed_mph
FROM marts.flight_delays AS d
JOIN nyc.airports AS ap ON ap.faa = d.dest
GROUP BY d.origin, d.dest, ap.name, ap.lat, ap.lon
