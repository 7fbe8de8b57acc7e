with releases as (

    select * from {{ ref('int_release_days') }}

),

coverage as (

    select * from {{ ref('int_day_coverage') }}

),

-- Each video counts on one day, the day after it came out, by its state at the end of that day.
debuts as (

    select
        category_key,
        date,
        language,
        extract(hour from released_at at time zone 'UTC')::integer as hour_utc,
        ln(greatest(velocity_per_hour, 1)) as log_velocity
    from releases
    where
        release_kind in ('announced', 'instant')
        and (released_at at time zone 'UTC')::date = date - 1
        and velocity_per_hour is not null

),

cells as (

    select
        category_key,
        date,
        language,
        hour_utc,
        {{ log_sums('log_velocity') }}
    from debuts
    group by category_key, date, language, hour_utc

),

languages as (

    select distinct
        category_key,
        date,
        language
    from cells

),

profiles as (

    select
        languages.category_key,
        languages.date,
        languages.language,
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
            and clock.hour_utc = cells.hour_utc
    group by languages.category_key, languages.date, languages.language

),

final as (

    select
        coverage.category_key,
        coverage.date,
        coalesce(profiles.language, 'und') as language,
        coverage.date - 1 as published_date,
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
