select
    -- ids
    category as category_key,
    pattern,

    -- strings
    verdict,

    -- numerics
    title_count,
    pattern_count,
    pattern_share,
    with_count,
    without_count,
    lift,
    ci_low,
    ci_high,
    q_value,

    -- timestamps
    window_start,
    window_start + interval '4 hours' as as_of
from {{ source('intelligence', 'title_intel') }}
