with videos as (

    select * from {{ ref('int_video_days') }}
    where date < {{ date_end() }}

),

versions as (

    select * from {{ ref('stg_collection__youtube_videos') }}
    where first_observed_at < {{ range_end() }}

),

-- The metadata as it was known at the end of each day.
known as (

    select distinct on (videos.category_key, videos.date, videos.video_id)
        videos.*,
        versions.published_at,
        versions.scheduled_start_at,
        versions.actual_start_at,
        {{ release_kind(
            'versions.live_state', 'versions.scheduled_start_at', 'versions.actual_start_at'
        ) }} as release_kind
    from videos
    inner join versions
        on
            videos.video_id = versions.video_id
            and versions.first_observed_at < {{ end_of_day('videos.date') }}
    order by
        videos.category_key,
        videos.date,
        videos.video_id,
        versions.first_observed_at desc,
        versions.metadata_hash

),

-- The page of an announced video is public before it starts, so its age counts from the start.
released as (

    select
        *,
        release_kind = 'announced' and actual_start_at is not null as has_start,
        extract(epoch from observed_at - actual_start_at)::double precision / 3600 as age_h
    from known

),

final as (

    select
        category_key,
        date,
        video_id,
        language,
        release_kind,
        views,
        case when has_start then actual_start_at else published_at end as released_at,
        case
            when not has_start then lifetime_velocity_per_hour
            when age_h >= 0 then views / greatest(age_h, 0.5)
        end as velocity_per_hour,
        case
            when release_kind = 'announced'
                then extract(epoch from actual_start_at - scheduled_start_at)::double precision
        end as delay_s
    from released

)

select * from final
