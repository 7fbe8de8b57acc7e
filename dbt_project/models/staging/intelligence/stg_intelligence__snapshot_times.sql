-- Apart from the velocities themselves: of a rollup, which is a table, Postgres computes a staging
-- model that is read twice in full before its filters apply. Views read it in place.
select
    -- ids
    category as category_key,

    -- timestamps
    window_start,
    window_start + interval '30 minutes' as as_of,
    observed_at
from {{ source('intelligence', 'video_velocity') }}
