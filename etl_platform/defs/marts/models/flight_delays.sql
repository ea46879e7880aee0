/*
description: >
  One row per flight that was flown, with what is needed to explain its delay: airline, aircraft age,
  and the weather at its origin in the hour of its scheduled departure.
columns:
  dep_delay_min: Minutes after the scheduled departure; negative is early.
  arr_delay_min: Minutes after the scheduled arrival; negative is early.
  plane_age_years: Age of the aircraft in the year of the flight; null when the aircraft is unknown.
contract:
  rules:
    - {rule: not_null, column: airline}
    - {rule: not_null, column: origin}
    - {rule: not_null, column: dest}
    - {rule: not_null, column: scheduled_at}
    - {rule: unique, columns: [scheduled_at, carrier, flight, origin, dest]}
    - {rule: range, column: plane_age_years, min: 0, max: 80, action: warn}
*/
SELECT
    f.time_hour + f.minute * INTERVAL 1 MINUTE AS scheduled_at,
    make_date(f.year, f.month, f.day) AS flight_date,
    f.carrier,
    a.name AS airline,
    f.flight,
    f.tailnum,
    f.origin,
    f.dest,
    f.distance AS distance_miles,
    f.air_time AS air_time_min,
    f.dep_delay AS dep_delay_min,
    f.arr_delay AS arr_delay_min,
    f.year - p.year AS plane_age_years,
    p.seats,
    w.temp AS temp_f,
    w.wind_speed AS wind_mph,
    w.precip AS precip_in,
    w.visib AS visibility_miles
FROM nyc.flights AS f
JOIN nyc.airlines AS a ON a.carrier = f.carrier
LEFT JOIN nyc.planes AS p ON p.tailnum = f.tailnum
LEFT JOIN nyc.weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour
WHERE f.dep_time IS NOT NULL
