select
    -- ids
    table_name,

    -- strings
    reason,

    -- booleans
    is_computed
from {{ source('maintenance', 'retention_rules') }}
