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

-- All charts are one pool: within a day every video of one of them may be replaced, but never those
-- of all. What was carried forward was not seen on that day.
seen as (

    select distinct
        case when categories.is_chart then '' else velocity.category_key end as pool,
        (velocity.observed_at at time zone 'UTC')::date as date,
        velocity.video_id
    from velocity
    left join categories on velocity.category_key = categories.category_key
    where
        (velocity.observed_at at time zone 'UTC')::date
        = (velocity.window_start at time zone 'UTC')::date

),

paired as (

    select
        pool,
        date,
        lag(date) over (partition by pool, video_id order by date) as date_before
    from seen

),

seen_again as (

    select
        pool,
        date,
        bool_or(date_before is not distinct from date - 1) as has_same_videos
    from paired
    group by pool, date

),

-- Of a day before that is not there any more nobody can say what it had.
pools as (

    select
        pool,
        date,
        case
            when lag(date) over (partition by pool order by date) = date - 1 then has_same_videos
        end as has_same_videos
    from seen_again

),

-- Where the charts of two days have no video in common, another source answers: what a game has in
-- common, such as a broadcast that goes on, does not make the others comparable.
final as (

    select
        categories.category_key,
        pools.date,
        pools.has_same_videos and coalesce(charts.has_same_videos, true) as has_same_videos
    from pools
    inner join categories
        on pools.pool = case when categories.is_chart then '' else categories.category_key end
    left join pools as charts
        on
            pools.date = charts.date
            and charts.pool = ''

)

select * from final
