select
    -- ids
    asset,
    row_key,

    -- strings
    values as score_values,

    -- timestamps
    window_start,
    kept_at
from {{ source('maintenance', 'score_history') }}
