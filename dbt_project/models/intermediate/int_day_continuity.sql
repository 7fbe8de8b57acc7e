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
-- of all. What was carried forward was not seen that day.
seen as (

    select distinct
        case when categories.is_chart then '' else velocity.category_key end as pool,
        (velocity.observed_at at time zone 'UTC')::date as date,
        velocity.video_id
    from velocity
    left join categories on velocity.category_key = categories.category_key

),

paired as (

    select
        pool,
        date,
        lag(date) over (partition by pool, video_id order by date) as date_before
    from seen

),

pools as (

    select
        pool,
        date,
        bool_or(date_before is not distinct from date - 1) as has_same_videos
    from paired
    group by pool, date

),

final as (

    select
        categories.category_key,
        pools.date,
        pools.has_same_videos
    from pools
    inner join categories
        on pools.pool = case when categories.is_chart then '' else categories.category_key end

)

select * from final
