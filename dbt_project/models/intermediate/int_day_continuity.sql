with velocity as (

    select * from {{ ref('stg_intelligence__video_velocity') }}
    where
        -- One day more on either side, as far as the trends of the days reach.
        window_start >= {{ range_start() }} - interval '1 day'
        and window_start < {{ range_end() }} + interval '1 day'

),

categories as (

    select
        category_key,
        kind = 'chart' as is_chart
    from {{ ref('stg_operations__categories') }}

),

starts as (

    select
        (started_at at time zone 'UTC')::date as date,
        (previous_crawl_at at time zone 'UTC')::date as date_before
    from {{ ref('stg_operations__source_starts') }}
    where dataset = 'collection/youtube_trending'

),

-- A day on which both sources answered is like neither the day before nor the day after.
started as (

    select date from starts
    union
    select date + 1 as date from starts
    where date_before = date

),

-- What was carried forward was not seen on that day.
seen as (

    select distinct
        velocity.category_key,
        (velocity.observed_at at time zone 'UTC')::date as date,
        velocity.video_id
    from velocity
    left join categories on velocity.category_key = categories.category_key
    where
        (velocity.observed_at at time zone 'UTC')::date
        = (velocity.window_start at time zone 'UTC')::date
        and categories.is_chart is not true

),

paired as (

    select
        category_key,
        date,
        lag(date) over (partition by category_key, video_id order by date) as date_before
    from seen

),

seen_again as (

    select
        category_key,
        date,
        bool_or(date_before is not distinct from date - 1) as has_same_videos
    from paired
    group by category_key, date

),

-- Of a day before that is not there any more nobody can say what it had.
games as (

    select
        category_key,
        date,
        case
            when lag(date) over (partition by category_key order by date) = date - 1
                then has_same_videos
        end as has_same_videos
    from seen_again

),

-- Where another source answers, what a game has in common, such as a broadcast that goes on, does
-- not make the others comparable.
final as (

    select
        games.category_key,
        games.date,
        games.has_same_videos and started.date is null as has_same_videos
    from games
    left join started on games.date = started.date

    union all

    select
        categories.category_key,
        started.date,
        false as has_same_videos
    from categories
    cross join started
    where categories.is_chart

)

select * from final
