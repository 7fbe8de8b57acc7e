select
    -- ids
    channel_id,

    -- strings
    title as channel_title,
    country as channel_country,

    -- numerics
    subscribers as subscriber_count,
    views as channel_view_count,
    videos as channel_video_count,

    -- timestamps
    observed_at,
    published_at as channel_created_at
from {{ source('collection', 'youtube_channels') }}
