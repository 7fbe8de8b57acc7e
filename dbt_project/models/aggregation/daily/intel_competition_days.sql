with windows as (

    select
        *,
        (window_start at time zone 'UTC')::date as date,
        extract(hour from window_start at time zone 'UTC')::integer as hour_utc
    from {{ ref('stg_intelligence__competition') }}
    where
        window_start >= {{ range_start() }}
        and window_start < {{ range_end() }}

),

-- State is carried forward for a day; a sample is a window with a crawl of its own. No more than
-- 100 streams of a game are seen, so a full page says "at least 100", and two compare nothing.
samples as (

    select
        *,
        live_count >= 100 as is_full_page,
        baseline_live_count > 0
        and not (live_count >= 100 and baseline_live_count >= 99.5) as is_saturation_known
    from windows
    where observed_at >= window_start

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

days as (

    select * from {{ ref('int_days') }}

),

measured as (

    select
        category_key,
        date,
        count(*) as received_samples,
        max(observed_at) as newest_observed_at,
        avg(live_count)::double precision as avg_live_count,
        avg(viewer_total)::double precision as avg_viewer_total,
        max(viewer_total) as peak_viewer_total,
        {{ first_by('hour_utc', 'viewer_total desc, hour_utc') }} as peak_hour_utc,
        count(*) filter (where is_full_page)::integer as full_page_count,
        count(*) filter (where is_saturation_known)::integer as saturation_sample_count,
        {{ exact_mean('case when is_saturation_known then saturation_score end') }}
            as avg_saturation_score,
        {{ exact_mean('hhi', '1e12') }} as avg_hhi,
        {{ exact_mean('concentration_score') }} as avg_concentration_score,
        {{ exact_mean('ease_score') }} as avg_ease_score,
        {{ exact_mean('confidence_pct') }} as confidence_pct
    from samples
    group by category_key, date

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
    from windows

),

coverage as (

    select
        series.category_key,
        series.date,
        measured.received_samples,
        measured.newest_observed_at
    from series
    left join measured
        on
            series.category_key = measured.category_key
            and series.date = measured.date

),

{% if is_incremental() %}
{{ days_with_more('crawls_before', 'received_samples', 'measured', 'received_samples') }},

{% endif -%}
final as (

    select
        coverage.category_key,
        coverage.date,
        measured.avg_live_count,
        measured.avg_viewer_total,
        measured.peak_viewer_total,
        measured.peak_hour_utc,
        measured.full_page_count,
        measured.saturation_sample_count,
        measured.avg_saturation_score,
        measured.avg_hhi,
        measured.avg_concentration_score,
        measured.avg_ease_score,
        measured.confidence_pct,

        -- coverage, lag, as of
        {{ day_coverage_columns('coverage') }}
    from coverage
    left join measured
        on
            coverage.category_key = measured.category_key
            and coverage.date = measured.date
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
        there.avg_live_count,
        there.avg_viewer_total,
        there.peak_viewer_total,
        there.peak_hour_utc,
        there.full_page_count,
        there.saturation_sample_count,
        there.avg_saturation_score,
        there.avg_hhi,
        there.avg_concentration_score,
        there.avg_ease_score,
        there.confidence_pct,
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
