SELECT
    parcel_id,
    CAST(accepted AS TIMESTAMP) AS accepted,
    delay_hours > 4 AS delayed,
    CASE WHEN delay_hours IS NULL THEN 'lost' END AS left_out,
    distance,
    weight,
    hour,
    carrier,
    delay_hours
FROM parcels
