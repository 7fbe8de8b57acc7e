select
    -- ids
    video_id,
    metadata_hash,
    channel_id,

    -- strings
    title,
    channel_title,
    live_state,

    -- timestamps
    first_observed_at,
    published_at,
    scheduled_start_at,
    actual_start_at
from {{ source('collection', 'youtube_videos') }}
