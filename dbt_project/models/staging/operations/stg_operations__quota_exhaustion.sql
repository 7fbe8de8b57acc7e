select
    -- ids
    platform,
    bucket,

    -- timestamps
    quota_date,
    reported_at
from {{ source('operations', 'quota_exhaustion') }}
