select
    -- ids
    category as category_key,

    -- numerics
    opportunity_score,
    viral_count,
    rising_count,
    sample_count,
    velocity_ratio,
    confidence_pct,

    -- timestamps
    window_start,
    window_start + interval '30 minutes' as as_of
from {{ source('intelligence', 'opportunity') }}
