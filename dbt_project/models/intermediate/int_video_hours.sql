with velocity as (

    select * from {{ ref('stg_intelligence__video_velocity') }}
    where
        window_start >= {{ range_start() }}
        and window_start < {{ range_end() }}

),

-- Only the classes that are counted: the others are most of the rows.
scores as (

    select * from {{ ref('stg_intelligence__viral_scores') }}
    where
        window_start >= {{ range_start() }}
        and window_start < {{ range_end() }}
        and trend_class in ('VIRAL', 'RISING')

),

in_hours as (

    select
        *,
        date_trunc('hour', window_start, 'UTC') as hour_start
    from velocity

),

-- A video that lies in both windows of the hour is one video, in its newest state.
newest as (

    select distinct on (hour_start, category_key, video_id)
        hour_start,
        category_key,
        video_id,
        window_start,
        language,
        views,
        engagement_rate,
        duration_s,
        lifetime_velocity_per_hour,
        velocity_now_per_hour,
        confidence_pct,
        published_at
    from in_hours
    order by hour_start, category_key, video_id, window_start desc

),

final as (

    select
        newest.category_key,
        newest.hour_start,
        newest.video_id,
        newest.language,
        scores.trend_class,
        {{ duration_bucket('newest.duration_s') }} as duration_bucket,
        {{ short_likelihood('newest.duration_s', 'newest.published_at') }} as short_likelihood,
        newest.views,
        newest.engagement_rate,
        newest.duration_s,
        newest.lifetime_velocity_per_hour,
        newest.velocity_now_per_hour,
        newest.confidence_pct
    from newest
    left join scores
        on
            newest.window_start = scores.window_start
            and newest.category_key = scores.category_key
            and newest.video_id = scores.video_id

)

select * from final
