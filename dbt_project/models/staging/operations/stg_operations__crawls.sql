select
    -- ids
    dataset,
    category as category_key,
    region,

    -- strings
    reason,

    -- numerics
    expected as expected_count,
    got as got_count,
    rejected as rejected_count,

    -- booleans
    is_complete,

    -- timestamps
    crawl_at,
    observed_at
from {{ source('operations', 'crawls') }}
