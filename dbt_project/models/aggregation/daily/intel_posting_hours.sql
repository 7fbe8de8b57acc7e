with videos as (

    select * from {{ ref('int_first_days') }}

),

coverage as (

    select * from {{ ref('int_day_coverage') }}
    {% if is_incremental() %}

    union all

    -- The day after, where it is there already: a video that came late was a day old before it.
    select distinct
        category_key,
        date,
        received_samples,
        newest_observed_at
    from {{ this }}
    where
        date = {{ date_end() }}
        and {{ date_end() }} > {{ date_start() }}
    {% endif %}

),

debuts as (

    select
        category_key,
        date,
        language,
        (published_at at time zone 'UTC')::date as published_date,
        extract(hour from published_at at time zone 'UTC')::integer as hour_utc,
        ln(greatest(lifetime_velocity_per_hour, 1)) as log_velocity
    from videos

),

cells as (

    select
        category_key,
        date,
        language,
        published_date,
        hour_utc,
        {{ log_sums('log_velocity') }}
    from debuts
    group by category_key, date, language, published_date, hour_utc

),

languages as (

    select distinct
        category_key,
        date,
        language,
        published_date
    from cells

),

profiles as (

    select
        languages.category_key,
        languages.date,
        languages.language,
        languages.published_date,
        sum(cells.sample_count) as video_count,
        array_agg(coalesce(cells.sample_count, 0)::integer order by clock.hour_utc)
            as video_count_by_hour,
        array_agg(coalesce(cells.log_sum, 0)::bigint order by clock.hour_utc)
            as log_sum_by_hour,
        array_agg(coalesce(cells.log_square_sum, 0)::bigint order by clock.hour_utc)
            as log_square_sum_by_hour
    from languages
    cross join generate_series(0, 23) as clock (hour_utc)
    left join cells
        on
            languages.category_key = cells.category_key
            and languages.date = cells.date
            and languages.language = cells.language
            and languages.published_date = cells.published_date
            and clock.hour_utc = cells.hour_utc
    group by
        languages.category_key,
        languages.date,
        languages.language,
        languages.published_date

),

final as (

    select
        coverage.category_key,
        coverage.date,
        coalesce(profiles.language, 'und') as language,
        coalesce(profiles.published_date, coverage.date - 1) as published_date,
        coalesce(profiles.video_count, 0)::integer as video_count,
        coalesce(profiles.video_count_by_hour, array_fill(0, array[24])) as video_count_by_hour,
        coalesce(profiles.log_sum_by_hour, array_fill(0::bigint, array[24])) as log_sum_by_hour,
        coalesce(profiles.log_square_sum_by_hour, array_fill(0::bigint, array[24]))
            as log_square_sum_by_hour,

        -- coverage, lag, as of
        {{ day_coverage_columns('coverage') }}
    from coverage
    left join profiles
        on
            coverage.category_key = profiles.category_key
            and coverage.date = profiles.date

)

select * from final
