-- Whole days: the 30th before today is the first.
with {{ collection_hours(first_day_of_30()) }},

ledger as (

    select
        ledger.*,
        (ledger.reserved_at at time zone 'UTC')::date as date
    from {{ of_open_hours('stg_operations__quota_ledger', 'reserved_at', 'ledger') }}
    where ledger.reserved_at <= {{ known_at() }}

),

-- A crawl has a row for each of its categories, and all of them begin at once.
crawls as (

    select
        crawls.crawl_at,
        crawls.dataset,
        (crawls.crawl_at at time zone 'UTC')::date as date,
        date_trunc('hour', crawls.crawl_at, 'UTC') as hour_start,
        sum(crawls.got_count) as got_count
    from {{ of_open_hours('stg_operations__crawls', 'crawl_at', 'crawls') }}
    where crawls.crawl_at <= {{ known_at() }}
    group by crawls.crawl_at, crawls.dataset

),

insights as (

    select
        date,
        dataset as purpose,
        insight,
        insight_count
    from {{ ref('intel_insight_days') }}
    where
        as_of <= {{ known_at() }}
        and as_of > {{ known_at() }} - interval '31 days'

),

calls as (

    select
        date,
        platform,
        purpose,
        sum(
            coalesce(
                case when settled_at <= {{ known_at() }} then units_settled end, units_reserved
            )
        ) as units,
        count(*) as call_count,
        count(*) filter (where settled_at <= {{ known_at() }}) as settled_count,
        max(reserved_at) as newest_observed_at
    from ledger
    group by date, platform, purpose

    union all

    select
        (hour_start at time zone 'UTC')::date as date,
        platform,
        dataset as purpose,
        sum(units) as units,
        sum(call_count) as call_count,
        sum(settled_count) as settled_count,
        max(newest_call_at) as newest_observed_at
    from rolled_hours
    where call_count > 0
    group by (hour_start at time zone 'UTC')::date, platform, dataset

),

spent as (

    select
        date,
        platform,
        purpose,
        sum(units) as units,
        sum(call_count) as call_count,
        sum(settled_count) as settled_count,
        max(newest_observed_at) as newest_observed_at
    from calls
    group by date, platform, purpose

),

first_calls as (

    select
        date_trunc('hour', reserved_at, 'UTC') as hour_start,
        purpose,
        min(reserved_at) as first_call_at
    from ledger
    group by date_trunc('hour', reserved_at, 'UTC'), purpose

),

counted as (

    select
        crawls.date,
        crawls.dataset,
        sum(crawls.got_count) as row_count,
        {{ paid_rows('crawls.got_count', 'crawls.crawl_at', 'first_calls.first_call_at') }}
            as paid_row_count
    from crawls
    left join first_calls
        on
            crawls.hour_start = first_calls.hour_start
            and crawls.dataset = first_calls.purpose
    group by crawls.date, crawls.dataset

    union all

    select
        (hour_start at time zone 'UTC')::date as date,
        dataset,
        sum(row_count) as row_count,
        -- Hours from before the column was there.
        sum(coalesce(paid_row_count, case when call_count > 0 then row_count else 0 end))
            as paid_row_count
    from rolled_hours
    where crawl_count > 0
    group by (hour_start at time zone 'UTC')::date, dataset

),

-- A call's purpose is the dataset it was made for.
stored as (

    select
        date,
        dataset as purpose,
        sum(row_count) as row_count,
        sum(paid_row_count) as paid_row_count
    from counted
    group by date, dataset

),

final as (

    select
        spent.date,
        spent.platform,
        spent.purpose as dataset,
        spent.units::bigint as units,
        spent.call_count::integer as call_count,
        stored.paid_row_count::bigint as row_count,
        (spent.units * 1000.0 / nullif(stored.paid_row_count, 0))::double precision
            as units_per_1000_rows,
        insights.insight,
        insights.insight_count::bigint as insight_count,
        -- An insight of rows that were not paid for here has no price.
        case
            when coalesce(stored.row_count, 0) = coalesce(stored.paid_row_count, 0)
                then spent.units::double precision / nullif(insights.insight_count, 0)
        end as units_per_insight,
        spent.call_count::integer as expected_samples,
        spent.settled_count::integer as received_samples,
        (spent.settled_count * 100.0 / spent.call_count)::double precision as coverage_pct,
        spent.newest_observed_at,
        extract(
            epoch from
            least({{ known_at() }}, {{ end_of_day('spent.date') }}) - spent.newest_observed_at
        )::double precision as lag_s,
        least({{ known_at() }}, {{ end_of_day('spent.date') }}) as as_of
    from spent
    left join stored
        on
            spent.date = stored.date
            and spent.purpose = stored.purpose
    left join insights
        on
            spent.date = insights.date
            and spent.purpose = insights.purpose

)

select * from final
