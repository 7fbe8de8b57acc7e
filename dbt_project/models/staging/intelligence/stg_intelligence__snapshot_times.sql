-- Apart from the velocities themselves: a staging model that a query reads twice is computed in
-- full before its filters apply.
select
    -- ids
    category as category_key,

    -- timestamps
    window_start,
    window_start + interval '30 minutes' as as_of,
    observed_at
from {{ source('intelligence', 'video_velocity') }}
