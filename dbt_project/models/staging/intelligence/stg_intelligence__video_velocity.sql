select
    -- ids
    category as category_key,
    video_id,
    channel_id,

    -- strings
    {{ primary_language('audio_language') }} as language,

    -- numerics
    views,
    age_h,
    engagement_rate,
    duration_s,
    lifetime_velocity_per_hour,
    velocity_now_per_hour,
    confidence_pct,
    best_rank,
    region_count,

    -- timestamps
    window_start,
    window_start + interval '30 minutes' as as_of,
    observed_at,
    published_at
from {{ source('intelligence', 'video_velocity') }}
