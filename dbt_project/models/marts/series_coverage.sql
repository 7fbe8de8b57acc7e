{{ config(post_hook='{{ create_cleanup_intel_data() }}') }}

with crawled as (

    select * from {{ ref('int_collection_coverage') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}
    where is_enabled

),

opportunity as (

    select * from {{ ref('stg_intelligence__opportunity') }}
    where
        window_start > {{ known_at() }} - interval '25 hours'
        and window_start <= {{ open_until() }} - interval '30 minutes'

),

competition as (

    select * from {{ ref('stg_intelligence__competition') }}
    where
        window_start > {{ known_at() }} - interval '25 hours'
        and window_start <= {{ open_until() }} - interval '30 minutes'

),

hourly as (

    select * from {{ ref('intel_hourly_metrics') }}
    where
        hour_start > {{ known_at() }} - interval '26 hours'
        and as_of <= {{ known_at() }}
        -- An hour without data has a row that says so.
        and received_samples > 0

),

daily as (

    select * from {{ ref('intel_daily_metrics') }}
    where
        as_of > {{ known_at() }} - interval '8 days'
        and as_of <= {{ known_at() }}
        and received_samples > 0

),

-- Not permitted is not an outage.
forbidden as (

    select * from {{ ref('stg_maintenance__retention_rules') }}
    where not is_computed

),

-- A window that ended is expected; the one that is open is not yet. A row without a score is none.
ended as (

    select
        category_key,
        count(*) filter (where as_of <= {{ known_at() }}) as received_samples,
        max(as_of) filter (where as_of <= {{ known_at() }}) as newest_observed_at
    from opportunity
    where as_of > {{ known_at() }} - interval '24 hours' and opportunity_score is not null
    group by category_key

),

streamed as (

    select
        category_key,
        count(*) as received_samples,
        max(observed_at) as newest_observed_at
    from competition
    where
        observed_at >= window_start
        and window_start + interval '30 minutes' <= {{ known_at() }}
        and window_start + interval '30 minutes' > {{ known_at() }} - interval '24 hours'
    group by category_key

),

rolled as (

    select
        category_key,
        count(*) as received_samples,
        max(as_of) as newest_observed_at
    from hourly
    where as_of > {{ known_at() }} - interval '24 hours'
    group by category_key

),

summed as (

    select
        category_key,
        count(*) as received_samples,
        max(as_of) as newest_observed_at
    from daily
    where as_of > {{ known_at() }} - interval '7 days'
    group by category_key

),

series as (

    select
        dataset as series,
        category_key,
        expected_samples,
        received_samples,
        newest_observed_at
    from crawled

    union all

    select
        'intelligence/opportunity' as series,
        categories.category_key,
        48 as expected_samples,
        ended.received_samples,
        ended.newest_observed_at
    from categories
    left join ended on categories.category_key = ended.category_key

    union all

    select
        'intelligence/competition' as series,
        categories.category_key,
        48 as expected_samples,
        streamed.received_samples,
        streamed.newest_observed_at
    from categories
    left join streamed on categories.category_key = streamed.category_key
    where categories.twitch_game_id is not null

    union all

    select
        'aggregation/intel_hourly_metrics' as series,
        categories.category_key,
        24 as expected_samples,
        rolled.received_samples,
        rolled.newest_observed_at
    from categories
    left join rolled on categories.category_key = rolled.category_key

    union all

    select
        'aggregation/intel_daily_metrics' as series,
        categories.category_key,
        7 as expected_samples,
        summed.received_samples,
        summed.newest_observed_at
    from categories
    left join summed on categories.category_key = summed.category_key

),

final as (

    select
        series.series,
        series.category_key,
        case when forbidden.table_name is null then series.expected_samples else 0 end
            as expected_samples,
        coalesce(series.received_samples, 0)::integer as received_samples,
        case
            when forbidden.table_name is null
                then
                    least(
                        100, coalesce(series.received_samples, 0) * 100.0 / series.expected_samples
                    )
        end::double precision as coverage_pct,
        forbidden.reason as not_computed_reason,
        series.newest_observed_at,
        extract(epoch from {{ known_at() }} - series.newest_observed_at)::double precision
            as lag_s,
        {{ known_at() }} as as_of
    from series
    left join forbidden on replace(series.series, '/', '.') = forbidden.table_name

)

select * from final
