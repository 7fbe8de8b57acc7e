with snapshots as (

    select * from {{ ref('stg_intelligence__snapshot_times') }}
    where
        window_start >= {{ range_start() }}
        and window_start < {{ range_end() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

-- A category's own crawls are those of its chart, or of its game's videos: another dataset that saw
-- the same videos is no sample of it.
crawls as (

    select
        crawls.category_key,
        crawls.crawl_at,
        coalesce(crawls.observed_at, crawls.crawl_at) as answered_at
    from {{ ref('stg_operations__crawls') }} as crawls
    inner join categories on crawls.category_key = categories.category_key
    where
        crawls.dataset = case categories.kind
            when 'chart' then 'collection/youtube_trending'
            else 'collection/youtube_games'
        end
        and (crawls.got_count > 0 or crawls.is_complete)
        -- State is carried forward for a day.
        and crawls.crawl_at >= {{ range_start() }} - interval '25 hours'
        and crawls.crawl_at < {{ range_end() }}

),

answered as (

    select
        category_key,
        date_bin('30 minutes', answered_at, '2000-01-01T00:00:00Z'::timestamptz) as window_start,
        max(answered_at) as newest_answer_at,
        count(distinct crawl_at) as crawl_count
    from crawls
    group by
        category_key, date_bin('30 minutes', answered_at, '2000-01-01T00:00:00Z'::timestamptz)

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

timeline as (

    select
        coalesce(windows.category_key, answered.category_key) as category_key,
        coalesce(windows.window_start, answered.window_start) as window_start,
        windows.as_of,
        windows.newest_observed_at,
        coalesce(answered.crawl_count, 0) as crawl_count,
        max(answered.newest_answer_at) over (
            partition by coalesce(windows.category_key, answered.category_key)
            order by coalesce(windows.window_start, answered.window_start)
        ) as newest_answer_at
    from windows
    full join answered
        on
            windows.category_key = answered.category_key
            and windows.window_start = answered.window_start

),

final as (

    select
        timeline.category_key,
        timeline.window_start,
        timeline.as_of,
        timeline.newest_observed_at,
        timeline.crawl_count::integer as crawl_count,
        -- State is carried forward for up to a day, so a window with rows is not yet a window with
        -- data: that takes a crawl within the category's own interval.
        coalesce(
            timeline.newest_answer_at
            >= timeline.as_of
            - greatest(coalesce(categories.interval_minutes, 30), 30) * interval '1 minute',
            false
        ) as is_received
    from timeline
    left join categories on timeline.category_key = categories.category_key
    where timeline.as_of is not null

)

select * from final
