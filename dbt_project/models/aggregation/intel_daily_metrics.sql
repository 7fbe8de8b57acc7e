{{
    config(
        meta={
            'partition_by': 'date',
            'partition_type': 'date',
            'partitions': 'days',
            'worker': 'intel_aggregation_daily',
        },
        indexes=[{'columns': ['date']}],
    )
}}

with hourly as (

    -- One day more on either side: a trend needs the day before, and the day after needs this one.
    select
        *,
        (hour_start at time zone 'UTC')::date as date,
        extract(hour from hour_start at time zone 'UTC')::integer as hour_utc,
        received_samples > 0 as is_received
    from {{ ref('intel_hourly_metrics') }}
    where
        hour_start >= {{ range_start() }} - interval '1 day'
        and hour_start < {{ range_end() }} + interval '1 day'

),

videos as (

    select * from {{ ref('int_video_days') }}

),

-- Materialized, so that no join is planned through it as if it were a row.
continuity as materialized (

    select * from {{ ref('int_day_continuity') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

days as (

    select range.day::date as date
    from
        generate_series(
            {{ date_start() }}::timestamp,
            {{ date_end() }}::timestamp - interval '1 day',
            interval '1 day'
        ) as range (day)
    {% if is_incremental() %}

    union

    -- The day after, where it is there already: its trend would otherwise keep the old value.
    select date from {{ this }}
    where
        date = {{ date_end() }}
        and {{ date_end() }} > {{ date_start() }}
    {% endif %}

),

series as (

    select
        categories.category_key,
        days.date
    from categories
    cross join days
    where categories.is_enabled

    union

    select
        hourly.category_key,
        hourly.date
    from hourly
    inner join days on hourly.date = days.date

),

metrics as (

    select
        category_key,
        date,
        max(viral_count) filter (where is_received) as peak_viral_count,
        avg(viral_count) filter (where is_received)::double precision as avg_viral_count,
        -- Means of hours weigh as many videos as they rest on.
        (sum(total_views) / nullif(sum(views_known_count), 0))::double precision as avg_views,
        (
            sum(avg_engagement::numeric * engagement_known_count)
            / nullif(sum(engagement_known_count), 0)
        )::double precision as avg_engagement,
        {{ first_by(
            'hour_utc', 'avg_views desc, hour_utc', 'is_received and avg_views is not null'
        ) }} as best_hour_utc,
        {{ first_by(
            'hour_utc', 'avg_views, hour_utc', 'is_received and avg_views is not null'
        ) }} as worst_hour_utc,
        {{ first_by(
            'hour_utc', 'total_views desc, hour_utc', 'is_received and avg_views is not null'
        ) }} as peak_views_hour_utc,
        sum(received_samples) as received_samples,
        sum(crawl_count) as crawl_count,
        count(*) filter (where is_received) as received_hours,
        max(newest_observed_at) as newest_observed_at,
        (
            sum(confidence_pct::numeric * video_count)
            / nullif(sum(video_count) filter (where confidence_pct is not null), 0)
        )::double precision as confidence_pct
    from hourly
    group by category_key, date

),

trends as (

    select
        today.category_key,
        today.date,
        {{ percent_change('today.avg_views', 'before.avg_views') }} as views_trend,
        {{ percent_change('today.avg_viral_count', 'before.avg_viral_count') }} as viral_trend,
        {{ percent_change('today.avg_engagement', 'before.avg_engagement') }} as engagement_trend
    from metrics as today
    inner join metrics as before
        on
            today.category_key = before.category_key
            and today.date = before.date + 1
    left join continuity
        on
            today.category_key = continuity.category_key
            and today.date = continuity.date
    -- A day that was carried forward from before an outage is no day to compare with, and neither
    -- is one of which no video is left.
    where
        today.received_samples > 0
        and before.received_samples > 0
        and coalesce(continuity.has_same_videos, true)

),

duration_hours as (

    select
        category_key,
        date,
        optimal_duration_bucket,
        count(*) as hour_count
    from hourly
    where optimal_duration_bucket is not null
    group by category_key, date, optimal_duration_bucket

),

-- The bucket that was optimal in most hours.
durations as (

    select distinct on (category_key, date)
        category_key,
        date,
        optimal_duration_bucket as optimal_duration_range
    from duration_hours
    order by
        category_key,
        date,
        hour_count desc,
        array_position({{ duration_buckets() }}, optimal_duration_bucket)

),

formats as (

    select
        category_key,
        date,
        count(*) as total_videos_seen,
        count(*) filter (where short_likelihood >= {{ short_threshold() }}) as shorts_count,
        count(*) filter (where short_likelihood < {{ short_threshold() }}) as longform_count,
        avg(views) filter (where short_likelihood >= {{ short_threshold() }})::double precision
            as shorts_avg_views,
        avg(views) filter (where short_likelihood < {{ short_threshold() }})::double precision
            as longform_avg_views
    from videos
    group by category_key, date

),

language_counts as (

    select
        category_key,
        date,
        language,
        count(*) as video_count
    from videos
    group by category_key, date, language

),

languages as (

    select
        category_key,
        date,
        jsonb_object_agg(language, video_count) as language_distribution,
        {{ first_by('language', 'video_count desc, language') }} as dominant_language
    from language_counts
    group by category_key, date

),

language_shares as (

    select
        category_key,
        date,
        video_count / sum(video_count) over (partition by category_key, date) as share
    from language_counts
    -- 'und' is not a language; many unlabelled videos are not diversity.
    where language <> 'und'

),

-- Shannon entropy over its maximum for as many languages: 0 is one language, 1 an even mix.
diversity as (

    select
        category_key,
        date,
        case
            when count(*) = 1 then 0
            else -sum(share * ln(share)) / ln(count(*)::numeric)
        end::double precision as language_diversity_score
    from language_shares
    group by category_key, date

),

final as (

    select
        -- ids
        {{ stable_id(['series.category_key', "(series.date - '1970-01-01'::date)"]) }} as id,
        series.category_key,
        series.date,

        -- the sources' columns
        coalesce(formats.total_videos_seen, 0)::integer as total_videos_seen,
        metrics.peak_viral_count,
        metrics.avg_viral_count,
        trends.views_trend,
        trends.viral_trend,
        trends.engagement_trend,
        metrics.best_hour_utc,
        metrics.worst_hour_utc,
        metrics.peak_views_hour_utc,
        formats.shorts_avg_views / nullif(formats.longform_avg_views, 0)
            as shorts_performance_ratio,
        durations.optimal_duration_range,
        coalesce(languages.dominant_language, 'und') as dominant_language,
        diversity.language_diversity_score,
        (series.date + 1)::timestamp at time zone 'UTC' as created_at,

        -- what the trends and ratios rest on
        metrics.avg_views,
        metrics.avg_engagement,
        coalesce(formats.shorts_count, 0)::integer as shorts_count,
        coalesce(formats.longform_count, 0)::integer as longform_count,
        coalesce(languages.language_distribution, '{}'::jsonb) as language_distribution,
        {{ shorts_rule_version() }}::text as shorts_rule_version,
        metrics.avg_viral_count * 10 + greatest(coalesce(trends.views_trend, 0), 0)
            as momentum_index,

        -- coverage, lag, as of
        48 as expected_samples,
        coalesce(metrics.received_samples, 0)::integer as received_samples,
        coalesce(metrics.received_samples, 0) / 48.0::double precision * 100 as coverage_pct,
        coalesce(metrics.received_hours, 0)::integer as received_hours,
        metrics.crawl_count::integer as crawl_count,
        metrics.confidence_pct,
        metrics.newest_observed_at,
        extract(
            epoch from (series.date + 1)::timestamp at time zone 'UTC' - metrics.newest_observed_at
        )::double precision as lag_s,
        (series.date + 1)::timestamp at time zone 'UTC' as as_of
    from series
    left join metrics
        on
            series.category_key = metrics.category_key
            and series.date = metrics.date
    left join trends
        on
            series.category_key = trends.category_key
            and series.date = trends.date
    left join durations
        on
            series.category_key = durations.category_key
            and series.date = durations.date
    left join formats
        on
            series.category_key = formats.category_key
            and series.date = formats.date
    left join languages
        on
            series.category_key = languages.category_key
            and series.date = languages.date
    left join diversity
        on
            series.category_key = diversity.category_key
            and series.date = diversity.date

)

select * from final
