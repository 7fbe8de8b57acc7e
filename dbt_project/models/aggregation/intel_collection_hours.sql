{{
    config(
        meta={
            'partition_by': 'hour_start',
            'partition_type': 'timestamptz',
            'partitions': 'hours',
            'worker': 'intel_aggregation_hourly',
        },
        indexes=[{'columns': ['hour_start']}],
    )
}}

with ledger as (

    select
        *,
        date_trunc('hour', reserved_at, 'UTC') as hour_start
    from {{ ref('stg_operations__quota_ledger') }}
    where
        reserved_at >= {{ range_start() }}
        and reserved_at < {{ range_end() }}

),

crawls as (

    select
        *,
        date_trunc('hour', crawl_at, 'UTC') as hour_start
    from {{ ref('stg_operations__crawls') }}
    where
        crawl_at >= {{ range_start() }}
        and crawl_at < {{ range_end() }}

),

hours as (

    select range.hour_start
    from
        generate_series(
            {{ range_start() }}, {{ range_end() }} - interval '1 hour', interval '1 hour'
        ) as range (hour_start)

),

-- What is always collected, and how often in an hour; games come when they are due.
datasets as (

    select *
    from (
        values
        ('youtube', 'collection/youtube_trending', 2),
        ('youtube', 'collection/youtube_games', null),
        ('twitch', 'collection/twitch_streams', 4),
        ('twitch', 'collection/clip_radar', 12)
    ) as collected (platform, dataset, crawls_per_hour)

),

-- A call's purpose is the dataset it was made for.
calls as (

    select
        hour_start,
        platform,
        purpose as dataset,
        sum(coalesce(units_settled, units_reserved)) as units,
        count(*) as call_count,
        count(settled_at) as settled_count,
        min(reserved_at) as first_call_at,
        max(reserved_at) as newest_call_at,
        max(settled_at) as newest_settled_at
    from ledger
    group by hour_start, platform, purpose

),

runs as (

    {{ crawl_runs('crawls') }}

),

crawled as (

    select
        runs.hour_start,
        coalesce(datasets.platform, '') as platform,
        runs.dataset,
        sum(runs.got_count) as row_count,
        {{ paid_rows('runs.got_count', 'runs.run_at', 'calls.first_call_at') }} as paid_row_count,
        count(*) as crawl_count,
        count(*) filter (where runs.is_success) as success_count,
        max(runs.newest_observed_at) as newest_observed_at,
        array_agg(runs.run_at order by runs.run_at) as crawl_at_list,
        array_agg(runs.ended_at order by runs.run_at) as ended_at_list,
        array_agg(runs.is_success order by runs.run_at) as is_success_list,
        array_agg(runs.error order by runs.run_at) as error_list
    from runs
    left join datasets on runs.dataset = datasets.dataset
    left join calls
        on
            runs.hour_start = calls.hour_start
            and runs.dataset = calls.dataset
    group by runs.hour_start, datasets.platform, runs.dataset

),

series as (

    select
        hours.hour_start,
        datasets.platform,
        datasets.dataset
    from hours
    cross join datasets

    union

    select
        hour_start,
        platform,
        dataset
    from calls

    union

    select
        hour_start,
        platform,
        dataset
    from crawled

),

final as (

    select
        series.hour_start,
        series.platform,
        series.dataset,

        -- calls
        coalesce(calls.units, 0)::bigint as units,
        coalesce(calls.call_count, 0)::integer as call_count,
        coalesce(calls.settled_count, 0)::integer as settled_count,
        calls.newest_call_at,
        calls.newest_settled_at,

        -- crawls
        coalesce(crawled.row_count, 0)::bigint as row_count,
        coalesce(crawled.paid_row_count, 0)::bigint as paid_row_count,
        coalesce(crawled.crawl_count, 0)::integer as crawl_count,
        coalesce(crawled.crawl_at_list, '{}') as crawl_at_list,
        coalesce(crawled.ended_at_list, '{}') as ended_at_list,
        coalesce(crawled.is_success_list, '{}') as is_success_list,
        coalesce(crawled.error_list, '{}') as error_list,

        -- coverage, lag, as of
        datasets.crawls_per_hour as expected_samples,
        coalesce(crawled.success_count, 0)::integer as received_samples,
        -- Unknown where nothing is expected: least() alone would say 100.
        case
            when datasets.crawls_per_hour is not null
                then least(
                    100, coalesce(crawled.success_count, 0) * 100.0 / datasets.crawls_per_hour
                )
        end::double precision as coverage_pct,
        crawled.newest_observed_at,
        extract(
            epoch from
            series.hour_start + interval '1 hour'
            -- A crawl may begin in the hour and end in the next.
            - case
                when crawled.newest_observed_at is not null
                    then least(
                        crawled.newest_observed_at, series.hour_start + interval '1 hour'
                    )
            end
        )::double precision as lag_s,
        series.hour_start + interval '1 hour' as as_of
    from series
    left join datasets
        on
            series.platform = datasets.platform
            and series.dataset = datasets.dataset
    left join calls
        on
            series.hour_start = calls.hour_start
            and series.platform = calls.platform
            and series.dataset = calls.dataset
    left join crawled
        on
            series.hour_start = crawled.hour_start
            and series.platform = crawled.platform
            and series.dataset = crawled.dataset

)

select * from final
