with videos as (

    select * from {{ ref('int_video_days') }}
    where date < {{ date_end() }}

),

versions as (

    select
        *,
        {{ release_kind('live_state', 'scheduled_start_at', 'actual_start_at') }} as release_kind
    from {{ ref('stg_collection__youtube_videos') }}
    where first_observed_at < {{ range_end() }} + interval '1 hour'

),

-- The metadata as it was known at the end of each day. A crawl that began before midnight may be
-- answered after it, so a video that was not described before has its first version.
known as (

    select distinct on (videos.category_key, videos.date, videos.video_id)
        videos.*,
        versions.scheduled_start_at,
        versions.actual_start_at,
        case
            when
                versions.release_kind = 'upcoming'
                and versions.scheduled_start_at
                < {{ end_of_day('videos.date') }} - interval '24 hours'
                then 'overdue'
            else versions.release_kind
        end as release_kind
    from videos
    left join versions
        on
            videos.video_id = versions.video_id
            and versions.first_observed_at < {{ end_of_day('videos.date') }} + interval '1 hour'
    order by
        videos.category_key,
        videos.date,
        videos.video_id,
        versions.first_observed_at < {{ end_of_day('videos.date') }} desc,
        abs(extract(epoch from versions.first_observed_at - {{ end_of_day('videos.date') }})),
        versions.metadata_hash desc

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
        release_kind,
        views,
        case
            when has_start is not true then lifetime_velocity_per_hour
            when age_h >= 0 then views / greatest(age_h, 0.5)
        end as velocity_per_hour,
        case
            when release_kind = 'announced'
                then extract(epoch from actual_start_at - scheduled_start_at)::double precision
        end as delay_s
    from released

)

select * from final
