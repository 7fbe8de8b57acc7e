select
    -- ids
    category as category_key,
    twitch_game_id,

    -- strings
    kind,
    title,
    audience_timezone,

    -- numerics
    interval_minutes,

    -- booleans
    is_enabled
from {{ source('operations', 'categories') }}
