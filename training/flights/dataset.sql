-- One row per scheduled flight of 2013 from New York, with its plane and the weather that was known before it left.
--
-- Weather: the observation of the hour *before* the scheduled one, joined on the instant (time_hour is UTC in both
-- tables; local hours repeat when summer time ends). The scheduled hour's own observation may be made after departure.
-- A wind of 1,048 mph (EWR, 2013-02-12 03:00) is in the source; no flight meets it, and `range` in model.toml would name it.
WITH scheduled AS (
    SELECT
        *,
        make_timestamp(year, month, day, hour, minute, 0) AS scheduled_departure,  -- New York time, as the split means it
        dep_time IS NULL AS cancelled,
        arr_delay IS NULL AS without_arrival
    FROM flights
)

SELECT
    f.carrier || f.flight || '-' || f.origin || '-' || strftime(f.scheduled_departure, '%Y%m%d-%H%M') AS flight_id,
    f.scheduled_departure,
    f.arr_delay > 15 AS late,
    CASE
        WHEN f.cancelled THEN 'cancelled'
        WHEN f.without_arrival THEN 'diverted'
    END AS left_out,

    -- the timetable
    f.carrier,
    f.origin,
    f.dest,
    strftime(f.scheduled_departure, '%a') AS day_of_week,
    f.hour + f.minute / 60 AS departure_hour,
    f.sched_arr_time // 100 + f.sched_arr_time % 100 / 60 AS arrival_hour,
    f.distance,

    -- the plane; about one in six is not in the register
    f.year - p.year AS plane_age,
    p.seats,

    -- the weather
    w.temp,
    w.dewp,
    w.humid,
    w.wind_dir,
    w.wind_speed,
    w.wind_gust,
    w.precip,
    w.pressure,
    w.visib,

    -- for slices and for the leakage check; no caller sends these
    f.month,
    f.dep_delay,
    f.dep_time,
    f.arr_time,
    f.arr_delay,
    f.air_time
FROM scheduled AS f
LEFT JOIN planes AS p ON p.tailnum = f.tailnum
LEFT JOIN weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour - INTERVAL 1 HOUR
