select
    -- ids
    reservation_id,
    platform,
    bucket,

    -- strings
    endpoint,
    purpose,

    -- numerics
    units_reserved,
    units_settled,

    -- timestamps
    quota_date,
    reserved_at,
    settled_at
from {{ source('operations', 'quota_ledger') }}
