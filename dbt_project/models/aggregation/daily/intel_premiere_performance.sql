with releases as (

    select * from {{ ref('int_release_days') }}

),

coverage as (

    select * from {{ ref('int_day_coverage') }}

),

-- Five minutes either way are on time: premieres open with a countdown of up to that length.
measured as (

    select
        category_key,
        date,
        count(*) filter (where release_kind = 'announced') as premiere_count,
        count(*) filter (where release_kind = 'instant') as instant_count,
        count(*) filter (where release_kind = 'live') as live_count,
        count(*) filter (where release_kind = 'upcoming') as upcoming_count,
        count(*) filter (where release_kind = 'overdue') as overdue_count,
        count(*) filter (where release_kind is null) as unknown_count,
        avg(views) filter (where release_kind = 'announced') as premiere_avg_views,
        avg(views) filter (where release_kind = 'instant') as instant_avg_views,
        count(velocity_per_hour) filter (where release_kind = 'announced')
            as premiere_known_count,
        count(velocity_per_hour) filter (where release_kind = 'instant') as instant_known_count,
        percentile_cont(0.5) within group (order by velocity_per_hour)
        filter (where release_kind = 'announced') as premiere_median_velocity,
        percentile_cont(0.5) within group (order by velocity_per_hour)
        filter (where release_kind = 'instant') as instant_median_velocity,
        count(delay_s) as delay_known_count,
        count(*) filter (where abs(delay_s) <= 300) as on_time_count,
        {{ exact_mean('delay_s') }} as avg_delay_seconds,
        percentile_cont(0.5) within group (order by delay_s) as median_delay_seconds,
        max(delay_s) as worst_delay_seconds
    from releases
    group by category_key, date

),

{% if is_incremental() %}
-- The four weeks of the days after the range, where these are there already, reach into the range,
-- and into the day after it, which may have been rebuilt as well.
following as (

    select * from {{ this }}
    where
        date >= {{ date_end() }}
        and date < {{ date_end() }} + 28
        and {{ date_end() }} > {{ date_start() }}

),

{% endif -%}
asked as (

    select
        category_key,
        date
    from coverage
    {% if is_incremental() %}

    union all

    select
        category_key,
        date
    from following
    {% endif %}

),

cells as (

    select
        posted.category_key,
        posted.date,
        extract(isodow from posted.published_date)::integer - 1 as day_of_week,
        (hour.position - 1)::integer as hour_utc,
        sum(hour.sample_count) as sample_count,
        sum(hour.log_sum) as log_sum,
        sum(hour.log_square_sum) as log_square_sum
    from {{ ref('intel_posting_hours') }} as posted
    cross join
        unnest(
            posted.video_count_by_hour, posted.log_sum_by_hour, posted.log_square_sum_by_hour
        ) with ordinality as hour (sample_count, log_sum, log_square_sum, position)
    where
        posted.date > {{ date_start() }} - 28
        and posted.date < {{ date_end() }} + 28
        and posted.video_count > 0
        and hour.sample_count > 0
    group by
        posted.category_key,
        posted.date,
        extract(isodow from posted.published_date),
        hour.position

),

-- Four weeks of videos, each by its first day: one day alone fills few of a week's hours.
slots as (

    select
        asked.category_key,
        asked.date,
        cells.day_of_week,
        cells.hour_utc,
        sum(cells.sample_count) as sample_count,
        sum(cells.log_sum) as log_sum,
        sum(cells.log_square_sum) as log_square_sum
    from asked
    inner join cells
        on
            asked.category_key = cells.category_key
            and asked.date < cells.date + 28
            and asked.date >= cells.date
    group by asked.category_key, asked.date, cells.day_of_week, cells.hour_utc

),

rated as (

    select
        category_key,
        date,
        day_of_week,
        hour_utc,
        sample_count,
        {{ index_with_interval(['category_key', 'date']) }}
    from slots

),

ranked as (

    select
        *,
        row_number() over (
            partition by category_key, date
            order by index_low desc nulls last, day_of_week, hour_utc
        ) as best_rank,
        row_number() over (
            partition by category_key, date
            order by index_high nulls last, day_of_week, hour_utc
        ) as worst_rank
    from rated

),

-- The surest hours: with five videos, and an interval that leaves the usual out.
times as (

    select
        category_key,
        date,
        jsonb_agg({{ hour_as_json() }} order by best_rank)
        filter (where best_rank <= 3 and index_low > 1) as best_times,
        jsonb_agg({{ hour_as_json() }} order by worst_rank)
        filter (where worst_rank <= 3 and index_high < 1) as worst_times
    from ranked
    group by category_key, date

),

final as (

    select
        -- ids
        {{ day_id('coverage') }} as id,
        coverage.category_key,
        coverage.date,

        -- the sources' columns
        coalesce(measured.premiere_count, 0)::integer as premiere_count,
        coalesce(measured.instant_count, 0)::integer as instant_count,
        measured.premiere_avg_views::double precision as premiere_avg_views,
        measured.instant_avg_views::double precision as instant_avg_views,
        case
            when least(measured.premiere_known_count, measured.instant_known_count) >= 5
                then measured.premiere_median_velocity / nullif(measured.instant_median_velocity, 0)
        end as performance_ratio,
        coalesce(times.best_times, '[]'::jsonb) as best_times,
        coalesce(times.worst_times, '[]'::jsonb) as worst_times,
        measured.avg_delay_seconds,
        (measured.on_time_count * 100.0 / nullif(measured.delay_known_count, 0))::double precision
            as on_time_percent,
        {{ end_of_day('coverage.date') }} as created_at,

        -- what they rest on
        measured.premiere_median_velocity,
        measured.instant_median_velocity,
        coalesce(measured.premiere_known_count, 0)::integer as premiere_known_count,
        coalesce(measured.instant_known_count, 0)::integer as instant_known_count,
        coalesce(measured.live_count, 0)::integer as live_count,
        coalesce(measured.upcoming_count, 0)::integer as upcoming_count,
        coalesce(measured.overdue_count, 0)::integer as overdue_count,
        coalesce(measured.unknown_count, 0)::integer as unknown_count,
        coalesce(measured.delay_known_count, 0)::integer as delay_known_count,
        measured.median_delay_seconds,
        measured.worst_delay_seconds,
        100 * {{ wilson_bound(
            'measured.on_time_count', 'measured.delay_known_count', 'low'
        ) }} as on_time_low_percent,
        100 * {{ wilson_bound(
            'measured.on_time_count', 'measured.delay_known_count', 'high'
        ) }} as on_time_high_percent,

        -- coverage, lag, as of
        {{ day_coverage_columns('coverage') }}
    from coverage
    left join measured
        on
            coverage.category_key = measured.category_key
            and coverage.date = measured.date
    left join times
        on
            coverage.category_key = times.category_key
            and coverage.date = times.date
    {% if is_incremental() %}

    union all

    select
        following.id,
        following.category_key,
        following.date,
        following.premiere_count,
        following.instant_count,
        following.premiere_avg_views,
        following.instant_avg_views,
        following.performance_ratio,
        coalesce(times.best_times, '[]'::jsonb) as best_times,
        coalesce(times.worst_times, '[]'::jsonb) as worst_times,
        following.avg_delay_seconds,
        following.on_time_percent,
        following.created_at,
        following.premiere_median_velocity,
        following.instant_median_velocity,
        following.premiere_known_count,
        following.instant_known_count,
        following.live_count,
        following.upcoming_count,
        following.overdue_count,
        following.unknown_count,
        following.delay_known_count,
        following.median_delay_seconds,
        following.worst_delay_seconds,
        following.on_time_low_percent,
        following.on_time_high_percent,
        following.expected_samples,
        following.received_samples,
        following.coverage_pct,
        following.newest_observed_at,
        following.lag_s,
        following.as_of
    from following
    left join times
        on
            following.category_key = times.category_key
            and following.date = times.date
    {% endif %}

)

select * from final
