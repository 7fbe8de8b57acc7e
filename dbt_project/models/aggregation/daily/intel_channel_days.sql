with videos as (

    select * from {{ ref('int_video_days') }}
    where date < {{ date_end() }}

),

breakouts as (

    select * from {{ ref('int_breakout_days') }}

),

coverage as (

    select * from {{ ref('int_day_coverage') }}

),

channels as (

    select
        videos.category_key,
        videos.date,
        videos.channel_id,
        count(*) as video_count,
        count(*) filter (where breakouts.was_viral) as viral_count,
        count(*) filter (where breakouts.was_rising) as rising_count,
        count(breakouts.video_id) as breakout_count,
        sum(videos.views) as total_views,
        max(videos.lifetime_velocity_per_hour) as max_velocity,
        {{ first_by(
            'videos.video_id',
            'videos.lifetime_velocity_per_hour desc nulls last, videos.video_id'
        ) }} as top_video_id
    from videos
    left join breakouts
        on
            videos.category_key = breakouts.category_key
            and videos.date = breakouts.date
            and videos.video_id = breakouts.video_id
    group by videos.category_key, videos.date, videos.channel_id

),

final as (

    select
        channels.category_key,
        channels.date,
        channels.channel_id,
        channels.video_count::integer as video_count,
        channels.viral_count::integer as viral_count,
        channels.rising_count::integer as rising_count,
        channels.breakout_count::integer as breakout_count,
        coalesce(channels.total_views, 0)::bigint as total_views,
        channels.max_velocity,
        channels.top_video_id,

        -- coverage, lag, as of
        {{ day_coverage_columns('coverage') }}
    from channels
    inner join coverage
        on
            channels.category_key = coverage.category_key
            and channels.date = coverage.date

)

select * from final
