{{ config(post_hook='{{ create_get_trending_categories() }}') }}

-- Not materialized, so that a week of days is read and not all of them.
with daily as not materialized (

    select * from {{ ref('intel_daily_metrics') }}
    where as_of <= {{ known_at() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

newest as (

    select {{ newest_date('intel_daily_metrics') }} as date

),

week as (

    select
        daily.category_key,
        count(*) filter (where daily.received_samples > 0) as days_with_data,
        {{ exact_mean('daily.avg_viral_count') }} as avg_viral_count,
        {{ exact_mean('daily.views_trend') }} as views_trend,
        {{ exact_mean('daily.momentum_index') }} as momentum_index,
        sum(daily.expected_samples) as expected_samples,
        sum(daily.received_samples) as received_samples,
        max(daily.newest_observed_at) as newest_observed_at,
        max(newest.date) as last_date
    from daily
    cross join newest
    where daily.date > (select newest.date - 7 from newest)
    group by daily.category_key

),

final as (

    select
        week.category_key,
        categories.title,
        categories.kind,
        week.avg_viral_count,
        week.views_trend,
        week.momentum_index,
        week.days_with_data::integer as days_with_data,
        week.expected_samples::integer as expected_samples,
        week.received_samples::integer as received_samples,
        (week.received_samples * 100.0 / week.expected_samples)::double precision as coverage_pct,
        week.newest_observed_at,
        extract(
            epoch from (week.last_date + 1)::timestamp at time zone 'UTC' - week.newest_observed_at
        )::double precision as lag_s,
        (week.last_date + 1)::timestamp at time zone 'UTC' as as_of
    from week
    left join categories on week.category_key = categories.category_key

)

select * from final
