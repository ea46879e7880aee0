/*
description: Aircraft of each airline by age, and whether older ones leave later.
columns:
  age_band: Age of the aircraft in 2013, in bands of five years.
contract:
  rules:
    - {rule: unique, columns: [carrier, age_band]}
    - {rule: range, column: aircraft, min: 1}
*/
SELECT
    carrier,
    airline,
    CASE
        WHEN plane_age_years IS NULL THEN 'unknown'
        WHEN plane_age_years >= 25 THEN '25 and older'
        ELSE printf('%02d to %02d', plane_age_years // 5 * 5, plane_age_years // 5 * 5 + 4)
    END AS age_band,
    count(DISTINCT tailnum) AS aircraft,
    count(*) AS flights,
    sum(seats) AS seats_flown,
    avg(dep_delay_min) AS mean_dep_delay_min
FROM marts.flight_delays
WHERE tailnum IS NOT NULL
GROUP BY carrier, airline, age_band
