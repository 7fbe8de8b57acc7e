select
    -- ids
    category as category_key,

    -- strings
    relation,

    -- numerics
    lag_h,
    lag_low_h,
    lag_high_h,
    correlation,
    band,
    p_value,
    common_hours,
    clip_hours,
    video_hours,
    resolution_h,

    -- timestamps
    window_start,
    window_start + interval '4 hours' as as_of
from {{ source('intelligence', 'clip_video_lead_lag') }}
