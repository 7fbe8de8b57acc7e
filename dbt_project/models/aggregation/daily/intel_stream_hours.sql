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

left_crawls as (

    select
        category_key,
        date,
        hour_utc,
        count(*) as crawl_count,
        max(crawl_at) as newest_observed_at
    from answered
    group by category_key, date, hour_utc

),

-- A language that a crawl did not show had no stream in it, so the means are over all crawls.
left_cells as (

    select
        samples.category_key,
        samples.date,
        samples.language,
        samples.hour_utc,
        (count(*)::numeric / left_crawls.crawl_count)::real as live_count,
        (sum(samples.viewer_count)::numeric / left_crawls.crawl_count)::real as viewer_total
    from samples
    inner join left_crawls
        on
            samples.category_key = left_crawls.category_key
            and samples.date = left_crawls.date
            and samples.hour_utc = left_crawls.hour_utc
    group by
        samples.category_key,
        samples.date,
        samples.language,
        samples.hour_utc,
        left_crawls.crawl_count

),

{% if is_incremental() %}
before as (

    select
        there.category_key,
        there.date,
        there.language,
        hour.position::integer - 1 as hour_utc,
        hour.crawl_count,
        hour.live_count,
        hour.viewer_total,
        there.newest_observed_at,
        there.as_of
    from {{ this }} as there
    inner join days on there.date = days.date
    cross join
        unnest(
            there.crawl_count_by_hour, there.live_count_by_hour, there.viewer_total_by_hour
        ) with ordinality as hour (crawl_count, live_count, viewer_total, position)

),

-- The terms end streams after a day, before the day of its first hour is over. An hour stays as it
-- was when it had more crawls than are left of it.
kept_hours as (

    select
        before.category_key,
        before.date,
        before.hour_utc,
        max(before.crawl_count) as crawl_count,
        max(before.newest_observed_at) as newest_observed_at
    from before
    left join left_crawls
        on
            before.category_key = left_crawls.category_key
            and before.date = left_crawls.date
            and before.hour_utc = left_crawls.hour_utc
    group by before.category_key, before.date, before.hour_utc
    having max(before.crawl_count) > coalesce(max(left_crawls.crawl_count), 0)

),

crawls as (

    select left_crawls.*
    from left_crawls
    left join kept_hours
        on
            left_crawls.category_key = kept_hours.category_key
            and left_crawls.date = kept_hours.date
            and left_crawls.hour_utc = kept_hours.hour_utc
    where kept_hours.category_key is null

    union all

    select * from kept_hours

),

cells as (

    select left_cells.*
    from left_cells
    left join kept_hours
        on
            left_cells.category_key = kept_hours.category_key
            and left_cells.date = kept_hours.date
            and left_cells.hour_utc = kept_hours.hour_utc
    where kept_hours.category_key is null

    union all

    select
        before.category_key,
        before.date,
        before.language,
        before.hour_utc,
        before.live_count,
        before.viewer_total
    from before
    inner join kept_hours
        on
            before.category_key = kept_hours.category_key
            and before.date = kept_hours.date
            and before.hour_utc = kept_hours.hour_utc
    where before.live_count > 0

),

said_before as (

    select
        category_key,
        date,
        max(as_of) as as_of
    from before
    group by category_key, date

),

{% else %}
crawls as (

    select * from left_crawls

),

cells as (

    select * from left_cells

),

{% endif -%}
received as (

    select
        category_key,
        date,
        sum(crawl_count) as received_samples,
        max(newest_observed_at) as newest_observed_at
    from crawls
    group by category_key, date

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

profiles as (

    select
        languages.category_key,
        languages.date,
        languages.language,
        array_agg(coalesce(crawls.crawl_count, 0)::integer order by clock.hour_utc)
            as crawl_count_by_hour,
        array_agg(
            case when crawls.crawl_count > 0 then coalesce(cells.live_count, 0) end
            order by clock.hour_utc
        ) as live_count_by_hour,
        array_agg(
            case when crawls.crawl_count > 0 then coalesce(cells.viewer_total, 0) end
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
        received.newest_observed_at,
        -- Hours of a day that is not rolled up yet are shown when it should long have been.
        case
            when {{ is_whole_day('series.date') }} then {{ end_of_day('series.date') }}
            {% if is_incremental() -%}
            when said_before.as_of is not null then said_before.as_of
            {% endif -%}
            else {{ end_of_day('series.date') }} + interval '1 day'
        end as as_of
    from series
    left join received
        on
            series.category_key = received.category_key
            and series.date = received.date
    {% if is_incremental() %}
    left join said_before
        on
            series.category_key = said_before.category_key
            and series.date = said_before.date
    {% endif %}

),

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
        {{ day_coverage_columns('coverage', 96, 'coverage.as_of') }}
    from coverage
    left join profiles
        on
            coverage.category_key = profiles.category_key
            and coverage.date = profiles.date

)

select * from final
