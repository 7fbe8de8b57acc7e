select
    -- ids
    category as category_key,
    video_id,

    -- strings
    trend_class,

    -- numerics
    viral_score,
    decayed_score,
    confidence_pct,
    sample_count,

    -- timestamps
    window_start,
    window_start + interval '30 minutes' as as_of
from {{ source('intelligence', 'viral_scores') }}
