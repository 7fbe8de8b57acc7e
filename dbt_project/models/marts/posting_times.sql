-- Twelve whole weeks, so that every day of the week is there as often.
-- Not materialized: who asks about one game must not wait for all of them.
with recent as not materialized (

    select * from {{ ref('intel_posting_hours') }}
    where
        as_of <= {{ known_at() }}
        and date > {{ newest_date('intel_posting_hours') }} - 84

),

categories as (

    select * from {{ ref('stg_operations__categories') }}
    where is_enabled

),

coverage as (

    select
        category_key,
        sum(expected_samples)::integer as expected_samples,
        sum(received_samples)::integer as received_samples,
        max(newest_observed_at) as newest_observed_at,
        max(as_of) as as_of
    from (
        select distinct on (category_key, date) *
        from recent
        order by category_key, date, language, published_date
    ) as each_day
    group by category_key

),

-- The clock is asked once for a day (hence materialized), and for each of its hours only on the two
-- days of a year on which clocks are changed.
hours as (

    select
        recent.category_key,
        of_language.name as language,
        categories.audience_timezone as timezone,
        hour.sample_count,
        hour.log_sum,
        hour.log_square_sum,
        case
            when clock.is_whole
                then (clock.first_hour_of_week + hour.position - 1) % 168
            else {{ hour_of_week("(
                (recent.published_date + interval '1 hour' * (hour.position - 1))
                at time zone 'UTC' at time zone categories.audience_timezone
            )") }}
        end as hour_of_week
    from recent
    inner join categories on recent.category_key = categories.category_key
    cross join
        lateral (
            with day as materialized (
                select
                    recent.published_date::timestamp
                    at time zone 'UTC' at time zone categories.audience_timezone as starts_at,
                    (recent.published_date + interval '23 hours')
                    at time zone 'UTC' at time zone categories.audience_timezone as last_hour_at
            )

            select
                {{ hour_of_week('day.starts_at') }} as first_hour_of_week,
                day.last_hour_at - day.starts_at = interval '23 hours' as is_whole
            from day
        ) as clock
    -- Each language, and all of them together.
    cross join unnest(array[recent.language, 'all']) as of_language (name)
    cross join
        unnest(
            recent.video_count_by_hour, recent.log_sum_by_hour, recent.log_square_sum_by_hour
        ) with ordinality as hour (sample_count, log_sum, log_square_sum, position)
    where hour.sample_count > 0

),

cells as (

    select
        category_key,
        timezone,
        language,
        hour_of_week::integer as hour_of_week,
        sum(sample_count) as sample_count,
        sum(log_sum) as log_sum,
        sum(log_square_sum) as log_square_sum
    from hours
    group by
        category_key,
        timezone,
        language,
        hour_of_week

),

{{ hours_of_the_week(['category_key', 'timezone', 'language'], 5) }},

final as (

    select
        rated.category_key,
        rated.language,
        rated.day_of_week,
        rated.hour,
        rated.timezone,
        rated.performance_index,
        rated.index_low,
        rated.index_high,
        rated.index_low > 1 as is_better,
        rated.index_high < 1 as is_worse,
        rated.estimate,
        rated.estimate_low,
        rated.estimate_high,
        rated.basis,
        rated.sample_count::integer as sample_count,
        rated.day_sample_count::integer as day_sample_count,
        coverage.expected_samples,
        coverage.received_samples,
        (coverage.received_samples * 100.0 / coverage.expected_samples)::double precision
            as coverage_pct,
        coverage.newest_observed_at,
        extract(epoch from coverage.as_of - coverage.newest_observed_at)::double precision as lag_s,
        coverage.as_of
    from rated
    inner join coverage on rated.category_key = coverage.category_key

)

select * from final
