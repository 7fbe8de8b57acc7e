with samples as (

    select * from {{ ref('int_stream_samples') }}

),

answered as (

    select * from {{ ref('int_stream_crawls') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

days as (

    select * from {{ ref('int_days') }}

),

crawls as (

    select
        category_key,
        date,
        hour_utc,
        count(*) as crawl_count,
        max(crawl_at) as newest_observed_at
    from answered
    group by category_key, date, hour_utc

),

received as (

    select
        category_key,
        date,
        sum(crawl_count) as received_samples,
        max(newest_observed_at) as newest_observed_at
    from crawls
    group by category_key, date

),

cells as (

    select
        category_key,
        date,
        language,
        hour_utc,
        count(*) as stream_samples,
        sum(viewer_count) as viewer_samples
    from samples
    group by category_key, date, language, hour_utc

),

-- A day on which nobody streamed has one row, of no language, in which its crawls count.
languages as (

    select
        category_key,
        date,
        language
    from cells

    union

    select
        received.category_key,
        received.date,
        'und' as language
    from received
    left join cells
        on
            received.category_key = cells.category_key
            and received.date = cells.date
    where cells.category_key is null

),

-- A language that a crawl did not show had no stream in it, so the means are over all crawls.
profiles as (

    select
        languages.category_key,
        languages.date,
        languages.language,
        array_agg(coalesce(crawls.crawl_count, 0)::integer order by clock.hour_utc)
            as crawl_count_by_hour,
        array_agg(
            (coalesce(cells.stream_samples, 0)::numeric / crawls.crawl_count)::real
            order by clock.hour_utc
        ) as live_count_by_hour,
        array_agg(
            (coalesce(cells.viewer_samples, 0)::numeric / crawls.crawl_count)::real
            order by clock.hour_utc
        ) as viewer_total_by_hour
    from languages
    cross join generate_series(0, 23) as clock (hour_utc)
    left join crawls
        on
            languages.category_key = crawls.category_key
            and languages.date = crawls.date
            and clock.hour_utc = crawls.hour_utc
    left join cells
        on
            languages.category_key = cells.category_key
            and languages.date = cells.date
            and languages.language = cells.language
            and clock.hour_utc = cells.hour_utc
    group by languages.category_key, languages.date, languages.language

),

series as (

    select
        categories.category_key,
        days.date
    from categories
    cross join days
    where categories.is_enabled and categories.twitch_game_id is not null

    union

    select
        category_key,
        date
    from received

),

coverage as (

    select
        series.category_key,
        series.date,
        received.received_samples,
        received.newest_observed_at
    from series
    left join received
        on
            series.category_key = received.category_key
            and series.date = received.date

),

{% if is_incremental() %}
{{ days_with_more('crawls_before', 'received_samples', 'received', 'received_samples') }},

{% endif -%}
final as (

    select
        coverage.category_key,
        coverage.date,
        coalesce(profiles.language, 'und') as language,
        coalesce(profiles.crawl_count_by_hour, array_fill(0, array[24])) as crawl_count_by_hour,
        coalesce(profiles.live_count_by_hour, array_fill(null::real, array[24]))
            as live_count_by_hour,
        coalesce(profiles.viewer_total_by_hour, array_fill(null::real, array[24]))
            as viewer_total_by_hour,

        -- coverage, lag, as of: a crawl every 15 minutes
        {{ day_coverage_columns('coverage', 96) }}
    from coverage
    left join profiles
        on
            coverage.category_key = profiles.category_key
            and coverage.date = profiles.date
    {% if is_incremental() %}
    left join crawls_before
        on
            coverage.category_key = crawls_before.category_key
            and coverage.date = crawls_before.date
    where crawls_before.category_key is null

    union all

    select
        there.category_key,
        there.date,
        there.language,
        there.crawl_count_by_hour,
        there.live_count_by_hour,
        there.viewer_total_by_hour,
        there.expected_samples,
        there.received_samples,
        there.coverage_pct,
        there.newest_observed_at,
        there.lag_s,
        there.as_of
    from {{ this }} as there
    inner join crawls_before
        on
            there.category_key = crawls_before.category_key
            and there.date = crawls_before.date
    {% endif %}

)

select * from final
