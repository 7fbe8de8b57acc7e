with hourly as (

    select
        category_key,
        (hour_start at time zone 'UTC')::date as date,
        received_samples,
        newest_observed_at
    from {{ ref('intel_hourly_metrics') }}
    where
        hour_start >= {{ range_start() }}
        and hour_start < {{ range_end() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

days as (

    select * from {{ ref('int_days') }}

),

received as (

    select
        category_key,
        date,
        sum(received_samples) as received_samples,
        max(newest_observed_at) as newest_observed_at
    from hourly
    group by category_key, date

),

-- Every enabled category has every day, and so has one that has data although it is no longer
-- collected.
series as (

    select
        categories.category_key,
        days.date
    from categories
    cross join days
    where categories.is_enabled

    union

    select
        category_key,
        date
    from received

),

final as (

    select
        series.category_key,
        series.date,
        coalesce(received.received_samples, 0)::integer as received_samples,
        received.newest_observed_at
    from series
    left join received
        on
            series.category_key = received.category_key
            and series.date = received.date

)

select * from final
