-- Twelve whole weeks, so that every day of the week is there as often.
-- Not materialized: who asks about one game must not wait for all of them.
with recent as not materialized (

    select * from {{ ref('intel_stream_hours') }}
    where
        as_of <= {{ known_at() }}
        and date > {{ newest_date('intel_stream_hours') }} - 84

),

categories as not materialized (

    select * from {{ ref('stg_operations__categories') }}
    where is_enabled

),

-- An hour was crawled for every language or for none, so one row a day says which hours were.
each_day as not materialized (

    select distinct on (recent.category_key, recent.date)
        recent.*,
        categories.audience_timezone
    from recent
    inner join categories on recent.category_key = categories.category_key
    order by recent.category_key, recent.date, recent.language

),

coverage as (

    select
        category_key,
        sum(expected_samples)::integer as expected_samples,
        sum(received_samples)::integer as received_samples,
        max(newest_observed_at) as newest_observed_at,
        max(as_of) as as_of
    from each_day
    group by category_key

),

-- In how many weeks each hour was crawled, whoever streamed in it.
crawled as (

    select
        category_key,
        array_agg(hour_of_week) as hours,
        array_agg(week_count) as week_counts
    from (
        select
            category_key,
            {{ hour_of_week('local_time') }} as hour_of_week,
            count(*)::integer as week_count
        from (
            select distinct
                each_day.category_key,
                (each_day.date + interval '1 hour' * (hour.position - 1))
                at time zone 'UTC' at time zone each_day.audience_timezone as local_time
            from each_day
            cross join
                unnest(each_day.live_count_by_hour) with ordinality as hour (live_count, position)
            where hour.live_count is not null
        ) as each_hour
        group by category_key, {{ hour_of_week('local_time') }}
    ) as each_hour_of_week
    group by category_key

),

hours as (

    select
        recent.category_key,
        of_language.name as language,
        categories.audience_timezone as timezone,
        hour.position,
        hour.live_count,
        hour.viewer_total,
        (recent.date + interval '1 hour' * (hour.position - 1))
        at time zone 'UTC' at time zone categories.audience_timezone as local_time
    from recent
    inner join categories on recent.category_key = categories.category_key
    -- Each language, and all of them together.
    cross join unnest(array[recent.language, 'all']) as of_language (name)
    cross join
        unnest(
            recent.live_count_by_hour, recent.viewer_total_by_hour
        ) with ordinality as hour (live_count, viewer_total, position)
    where hour.live_count > 0

),

-- One value per language and hour, and one for the whole game. Where clocks are set back two hours
-- of the day have one name: their mean is that week's value.
samples as (

    select
        category_key,
        timezone,
        language,
        local_time,
        sum(live_count)::double precision
        / case when min(position) < max(position) then 2 else 1 end as live_count,
        sum(viewer_total)::double precision
        / case when min(position) < max(position) then 2 else 1 end as viewer_total,
        ln(greatest(sum(viewer_total) / sum(live_count), 1))::double precision as log_viewers
    from hours
    group by category_key, timezone, local_time, language

),

cells as (

    select
        category_key,
        timezone,
        language,
        {{ hour_of_week('local_time') }} as hour_of_week,
        sum(live_count) as live_count_sum,
        sum(viewer_total) as viewer_total_sum,
        {{ log_sums('log_viewers') }}
    from samples
    group by
        category_key,
        timezone,
        language,
        {{ hour_of_week('local_time') }}

),

{{ hours_of_the_week(
    ['category_key', 'timezone', 'language'], 3, also=['live_count_sum', 'viewer_total_sum']
) }},

-- A week in which nobody streamed counts for the means: it has no stream, and no viewer.
averaged as (

    select
        rated.*,
        coalesce(rated.live_count_sum, 0) / hour.week_count as avg_live_count,
        coalesce(rated.viewer_total_sum, 0) / hour.week_count as avg_viewer_total,
        coalesce(hour.week_count, 0) as week_count
    from rated
    left join crawled on rated.category_key = crawled.category_key
    cross join lateral (
        select
            crawled.week_counts[
                array_position(crawled.hours, rated.day_of_week * 24 + rated.hour)
            ] as week_count
    ) as hour

),

final as (

    select
        averaged.category_key,
        averaged.language,
        averaged.day_of_week,
        averaged.hour,
        averaged.timezone,
        averaged.performance_index,
        averaged.index_low,
        averaged.index_high,
        averaged.index_low > 1 as is_better,
        averaged.index_high < 1 as is_worse,
        averaged.estimate,
        averaged.estimate_low,
        averaged.estimate_high,
        averaged.basis,
        averaged.avg_live_count,
        averaged.avg_viewer_total,
        averaged.week_count,
        averaged.sample_count::integer as sample_count,
        averaged.day_sample_count::integer as day_sample_count,
        coverage.expected_samples,
        coverage.received_samples,
        least(
            100, coverage.received_samples * 100.0 / coverage.expected_samples
        )::double precision as coverage_pct,
        coverage.newest_observed_at,
        extract(epoch from coverage.as_of - coverage.newest_observed_at)::double precision as lag_s,
        coverage.as_of
    from averaged
    inner join coverage on averaged.category_key = coverage.category_key

)

select * from final
