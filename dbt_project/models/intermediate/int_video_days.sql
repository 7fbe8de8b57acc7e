with velocity as (

    select * from {{ ref('stg_intelligence__video_velocity') }}
    where
        window_start >= {{ range_start() }}
        -- The day after the range may be rebuilt as well, because its trend reads the last day.
        and window_start < {{ range_end() }} + interval '1 day'

),

in_days as (

    select
        *,
        (window_start at time zone 'UTC')::date as date
    from velocity

),

-- A video that was seen in 24 hours of the day is one video, in its newest state.
newest as (

    select distinct on (date, category_key, video_id)
        category_key,
        date,
        video_id,
        channel_id,
        language,
        views,
        engagement_rate,
        duration_s,
        lifetime_velocity_per_hour,
        published_at,
        observed_at
    from in_days
    order by date, category_key, video_id, window_start desc

),

final as (

    select
        category_key,
        date,
        video_id,
        channel_id,
        language,
        views,
        engagement_rate,
        lifetime_velocity_per_hour,
        observed_at,
        {{ duration_bucket('duration_s') }} as duration_bucket,
        {{ short_likelihood('duration_s', 'published_at') }} as short_likelihood
    from newest

)

select * from final
