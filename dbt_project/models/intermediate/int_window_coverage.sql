with snapshots as (

    select * from {{ ref('stg_intelligence__snapshot_times') }}
    where
        window_start >= {{ range_start() }}
        and window_start < {{ range_end() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

windows as (

    select
        category_key,
        window_start,
        as_of,
        max(observed_at) as newest_observed_at
    from snapshots
    group by category_key, window_start, as_of

),

final as (

    select
        windows.category_key,
        windows.window_start,
        windows.as_of,
        windows.newest_observed_at,
        -- State is carried forward for up to a day, so a window with rows is not yet a window with
        -- data: that takes a snapshot within the category's own interval.
        windows.newest_observed_at
        >= windows.as_of
        - greatest(coalesce(categories.interval_minutes, 30), 30) * interval '1 minute'
            as is_received
    from windows
    left join categories on windows.category_key = categories.category_key

)

select * from final
