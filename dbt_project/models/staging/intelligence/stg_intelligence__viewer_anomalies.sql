select
    -- ids
    category as category_key,
    stream_id,

    -- strings
    direction,

    -- numerics
    anomaly_score,

    -- timestamps
    window_start,
    crawl_at
from {{ source('intelligence', 'viewer_anomalies') }}
