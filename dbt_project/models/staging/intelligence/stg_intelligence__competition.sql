select
    -- ids
    category as category_key,

    -- strings
    concentration_band,

    -- numerics
    live_count,
    viewer_total,
    baseline_live_count,
    saturation_score,
    hhi,
    concentration_score,
    ease_score,
    confidence_pct,

    -- booleans
    is_peak,

    -- timestamps
    window_start,
    observed_at
from {{ source('intelligence', 'competition') }}
