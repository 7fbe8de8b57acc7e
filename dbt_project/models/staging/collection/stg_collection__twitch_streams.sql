select
    -- ids
    game_id as twitch_game_id,
    stream_id,

    -- strings
    user_name,
    title as stream_title,
    {{ primary_language('language') }} as language,

    -- numerics
    viewer_count,

    -- timestamps
    crawl_at,
    observed_at
from {{ source('collection', 'twitch_streams') }}
