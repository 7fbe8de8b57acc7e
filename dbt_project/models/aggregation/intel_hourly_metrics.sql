{{
    config(
        meta={
            'partition_by': 'hour_start',
            'partition_type': 'timestamptz',
            'partitions': 'hours',
            'worker': 'intel_aggregation_hourly',
        },
        indexes=[{'columns': ['hour_start']}],
    )
}}

with videos as (

    select * from {{ ref('int_video_hours') }}

),

window_coverage as (

    select
        *,
        date_trunc('hour', window_start, 'UTC') as hour_start
    from {{ ref('int_window_coverage') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

hours as (

    select range.hour_start
    from
        generate_series(
            {{ range_start() }}, {{ range_end() }} - interval '1 hour', interval '1 hour'
        ) as range (hour_start)

),

coverage as (

    select
        category_key,
        hour_start,
        count(*) filter (where is_received) as received_samples,
        sum(crawl_count) as crawl_count,
        max(newest_observed_at) as newest_observed_at
    from window_coverage
    group by category_key, hour_start

),

-- Every enabled category has a row for every hour, and so has a category that has data although it
-- is no longer collected.
series as (

    select
        categories.category_key,
        hours.hour_start
    from categories
    cross join hours
    where categories.is_enabled

    union

    select
        category_key,
        hour_start
    from coverage

),

metrics as (

    select
        category_key,
        hour_start,
        count(*) as video_count,
        count(views) as views_known_count,
        count(engagement_rate) as engagement_known_count,
        avg(views)::double precision as avg_views,
        {{ exact_mean('engagement_rate', '1e12') }} as avg_engagement,
        sum(views)::bigint as total_views,
        count(*) filter (where trend_class = 'VIRAL') as viral_count,
        count(*) filter (where trend_class = 'RISING') as rising_count,
        {{ exact_mean('lifetime_velocity_per_hour') }} as avg_velocity,
        max(lifetime_velocity_per_hour) as max_velocity,
        {{ exact_mean('velocity_now_per_hour') }} as avg_velocity_now,
        count(*) filter (where short_likelihood >= {{ short_threshold() }}) as shorts_count,
        avg(views) filter (where short_likelihood >= {{ short_threshold() }})::double precision
            as shorts_avg_views,
        count(*) filter (where short_likelihood < {{ short_threshold() }}) as longform_count,
        avg(views) filter (where short_likelihood < {{ short_threshold() }})::double precision
            as longform_avg_views,
        avg(duration_s)::double precision as avg_duration_seconds,
        {{ exact_mean('confidence_pct') }} as confidence_pct
    from videos
    group by category_key, hour_start

),

buckets as (

    select
        category_key,
        hour_start,
        duration_bucket,
        avg(views) as avg_views
    from videos
    where duration_bucket is not null
    group by category_key, hour_start, duration_bucket
    -- Fewer than five videos say nothing about a length.
    having count(views) >= 5

),

-- The bucket with the best performance index (its mean over the category's mean), which is the one
-- with the best mean.
optimal as (

    select distinct on (category_key, hour_start)
        category_key,
        hour_start,
        duration_bucket as optimal_duration_bucket
    from buckets
    order by
        category_key,
        hour_start,
        avg_views desc,
        array_position({{ duration_buckets() }}, duration_bucket)

),

language_counts as (

    select
        category_key,
        hour_start,
        language,
        count(*) as video_count
    from videos
    group by category_key, hour_start, language

),

languages as (

    select
        category_key,
        hour_start,
        jsonb_object_agg(language, video_count) as language_distribution,
        {{ first_by('language', 'video_count desc, language') }} as dominant_language
    from language_counts
    group by category_key, hour_start

),

final as (

    select
        -- ids
        {{ stable_id(['series.category_key', 'extract(epoch from series.hour_start)::bigint']) }}
            as id,
        series.category_key,
        series.hour_start,

        -- the sources' columns
        coalesce(metrics.video_count, 0)::integer as video_count,
        metrics.avg_views,
        metrics.avg_engagement,
        coalesce(metrics.total_views, 0)::bigint as total_views,
        coalesce(metrics.viral_count, 0)::integer as viral_count,
        coalesce(metrics.rising_count, 0)::integer as rising_count,
        metrics.avg_velocity,
        metrics.max_velocity,
        coalesce(metrics.shorts_count, 0)::integer as shorts_count,
        metrics.shorts_avg_views,
        coalesce(metrics.longform_count, 0)::integer as longform_count,
        metrics.longform_avg_views,
        metrics.avg_duration_seconds,
        optimal.optimal_duration_bucket,
        coalesce(languages.language_distribution, '{}'::jsonb) as language_distribution,
        coalesce(languages.dominant_language, 'und') as dominant_language,
        series.hour_start + interval '1 hour' as created_at,

        -- what else the means rest on
        metrics.avg_velocity_now,
        coalesce(metrics.views_known_count, 0)::integer as views_known_count,
        coalesce(metrics.engagement_known_count, 0)::integer as engagement_known_count,
        {{ shorts_rule_version() }}::text as shorts_rule_version,

        -- coverage, lag, as of
        2 as expected_samples,
        coalesce(coverage.received_samples, 0)::integer as received_samples,
        coalesce(coverage.received_samples, 0) * 50.0::double precision as coverage_pct,
        coalesce(coverage.crawl_count, 0)::integer as crawl_count,
        metrics.confidence_pct,
        coverage.newest_observed_at,
        extract(
            epoch from series.hour_start + interval '1 hour' - coverage.newest_observed_at
        )::double precision as lag_s,
        series.hour_start + interval '1 hour' as as_of
    from series
    left join coverage
        on
            series.category_key = coverage.category_key
            and series.hour_start = coverage.hour_start
    left join metrics
        on
            series.category_key = metrics.category_key
            and series.hour_start = metrics.hour_start
    left join optimal
        on
            series.category_key = optimal.category_key
            and series.hour_start = optimal.hour_start
    left join languages
        on
            series.category_key = languages.category_key
            and series.hour_start = languages.hour_start

)

select * from final
