select
    -- ids
    dataset,

    -- numerics
    lists as list_count,
    lists_kept as kept_list_count,

    -- timestamps
    started_at,
    previous_crawl_at
from {{ source('operations', 'source_starts') }}
