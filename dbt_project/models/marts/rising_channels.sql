with newest as (

    select {{ newest_date('intel_channel_days') }} as date

),

videos as (

    select * from {{ ref('stg_collection__youtube_videos') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

-- Only those behind tracked games' videos are asked.
profiles as (

    select * from {{ ref('stg_collection__youtube_channels') }}
    where
        observed_at <= {{ known_at() }}
        and observed_at > {{ known_at() }} - interval '7 days'

),

-- Not materialized: who asks about one game must not wait for all of them.
recent as not materialized (

    select
        daily.*,
        (select newest.date from newest) as last_date,
        daily.date > (select newest.date - 7 from newest) as is_this_week
    from {{ ref('intel_channel_days') }} as daily
    where
        daily.as_of <= {{ known_at() }}
        and daily.date > (select newest.date - 28 from newest)

),

-- A day on which no channel was seen counts as well, so the days of the categories say what came.
coverage as (

    select
        daily.category_key,
        sum(daily.expected_samples)::integer as expected_samples,
        sum(daily.received_samples)::integer as received_samples,
        max(daily.newest_observed_at) as newest_observed_at,
        max(daily.as_of) as as_of
    from {{ ref('intel_daily_metrics') }} as daily
    where
        daily.as_of <= {{ known_at() }}
        and daily.date > (select newest.date - 7 from newest)
        and daily.date <= (select newest.date from newest)
    group by daily.category_key

),

-- What was seen before another source answered says nothing of who is new.
sources as (

    select max((started_at at time zone 'UTC')::date) as since
    from {{ ref('stg_operations__source_starts') }}
    where
        dataset = 'collection/youtube_trending'
        and (started_at at time zone 'UTC')::date <= (select newest.date from newest)

),

-- How far the record of each category goes back decides whether a channel can be called new.
records as (

    select
        category_key,
        greatest(min(date), (select sources.since from sources)) as first_date
    from recent
    group by category_key

),

channels as (

    select
        category_key,
        channel_id,
        max(last_date) as last_date,
        min(date) as first_seen_date,
        count(*) filter (where is_this_week) as days_seen,
        max(video_count) filter (where is_this_week) as video_count,
        sum(viral_count) filter (where is_this_week) as viral_video_days,
        sum(rising_count) filter (where is_this_week) as rising_video_days,
        sum(breakout_count) filter (where is_this_week) as breakout_video_days,
        max(max_velocity) filter (where is_this_week) as max_velocity,
        max(max_velocity) filter (where not is_this_week) as max_velocity_before,
        {{ first_by(
            'top_video_id', 'max_velocity desc nulls last, top_video_id', 'is_this_week'
        ) }} as top_video_id
    from recent
    group by category_key, channel_id

),

placed as (

    select
        *,
        row_number() over (
            partition by category_key
            order by breakout_video_days desc, max_velocity desc nulls last, channel_id
        ) as position
    from channels
    where breakout_video_days > 0

),

-- What each of them said of itself last: one look into the index for each.
described as (

    select
        placed.*,
        said.channel_title,
        said.channel_country,
        said.channel_created_at,
        said.subscriber_count,
        said.channel_view_count,
        said.channel_video_count,
        said.observed_at
    from placed
    left join
        lateral (
            select * from profiles
            where profiles.channel_id = placed.channel_id
            order by profiles.observed_at desc
            limit 1
        ) as said
        on true
    where placed.position <= 50

),

final as (

    select
        described.category_key,
        described.position::integer as position,
        described.channel_id,
        coalesce(described.channel_title, metadata.channel_title) as channel_title,
        described.channel_country,
        described.channel_created_at,
        floor(extract(epoch from coverage.as_of - described.channel_created_at) / 86400)::integer
            as channel_age_days,
        described.subscriber_count,
        described.channel_view_count,
        described.channel_video_count,
        described.channel_view_count::double precision / nullif(described.channel_video_count, 0)
            as views_per_video,
        described.observed_at as counted_at,
        case
            when records.first_date <= described.last_date - 14
                then described.first_seen_date > described.last_date - 7
        end as is_new,
        described.first_seen_date,
        described.days_seen::integer as days_seen,
        described.video_count,
        described.viral_video_days::integer as viral_video_days,
        described.rising_video_days::integer as rising_video_days,
        described.breakout_video_days::integer as breakout_video_days,
        described.max_velocity as max_velocity_per_hour,
        {{ percent_change('described.max_velocity', 'described.max_velocity_before') }}
            as velocity_change_pct,
        described.top_video_id,
        metadata.title as top_video_title,
        coverage.expected_samples,
        coverage.received_samples,
        (coverage.received_samples * 100.0 / nullif(coverage.expected_samples, 0))::double precision
            as coverage_pct,
        coverage.newest_observed_at,
        extract(epoch from coverage.as_of - coverage.newest_observed_at)::double precision as lag_s,
        coverage.as_of
    from described
    inner join coverage on described.category_key = coverage.category_key
    inner join records on described.category_key = records.category_key
    inner join categories on described.category_key = categories.category_key
    left join lateral (
        select
            videos.title,
            videos.channel_title
        from videos
        where
            videos.video_id = described.top_video_id
            and videos.first_observed_at <= {{ known_at() }}
        order by videos.first_observed_at desc
        limit 1
    ) as metadata on true
    where categories.is_enabled

)

select * from final
