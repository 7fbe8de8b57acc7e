with velocity as (

    select * from {{ ref('stg_intelligence__video_velocity') }}
    where
        -- Half a day more, to know which videos were a day old before the range began.
        window_start >= {{ range_start() }} - interval '12 hours'
        -- The day after the range may be rebuilt as well: what was a day old before does not count
        -- in it again.
        and window_start < {{ range_end() }} + interval '1 day'
        and published_at > {{ range_start() }} - interval '48 hours'

),

-- A video is faster by nature while it is young, so each stands by the first state in which it was
-- a day old, and counts on the day of that state.
first_states as (

    select distinct on (category_key, video_id)
        category_key,
        video_id,
        language,
        window_start,
        as_of,
        published_at,
        lifetime_velocity_per_hour
    from velocity
    where
        observed_at >= published_at + interval '24 hours'
        and observed_at < published_at + interval '36 hours'
        and lifetime_velocity_per_hour is not null
    order by category_key, video_id, window_start

),

versions as (

    select * from {{ ref('stg_collection__youtube_videos') }}

),

-- Announced videos are left out, because their page is public before they come out.
final as (

    select
        first_states.category_key,
        (first_states.window_start at time zone 'UTC')::date as date,
        first_states.video_id,
        first_states.language,
        first_states.published_at,
        first_states.lifetime_velocity_per_hour
    from first_states
    where
        first_states.window_start >= {{ range_start() }}
        and not exists (
            select 1
            from versions
            where
                versions.video_id = first_states.video_id
                and versions.first_observed_at < first_states.as_of
                and (
                    versions.scheduled_start_at is not null
                    or versions.actual_start_at is not null
                    or coalesce(versions.live_state, 'none') <> 'none'
                )
        )

)

select * from final
