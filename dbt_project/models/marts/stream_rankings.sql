with samples as (

    select * from {{ ref('stg_collection__twitch_streams') }}
    where
        crawl_at > {{ known_at() }} - interval '24 hours'
        and crawl_at <= {{ known_at() }}
        -- The rows lie by their answer's time.
        and observed_at > {{ known_at() }} - interval '24 hours'
        and observed_at <= {{ known_at() }}

),

anomalies as (

    select * from {{ ref('stg_intelligence__viewer_anomalies') }}
    where
        window_start > {{ known_at() }} - interval '3 hours'
        and window_start + interval '30 minutes' <= {{ open_until() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}
    where is_enabled

),

coverage as (

    select * from {{ ref('int_collection_coverage') }}
    where dataset = 'collection/twitch_streams'

),

partial_crawls as (

    select
        category_key,
        crawl_at
    from {{ ref('stg_operations__crawls') }}
    where
        dataset = 'collection/twitch_streams'
        and not is_complete
        and crawl_at > {{ known_at() }} - interval '24 hours'
        and crawl_at <= {{ known_at() }}

),

-- A stream that was answered twice in a crawl counts once, with its larger number.
once as (

    select distinct on (categories.category_key, samples.crawl_at, samples.stream_id)
        categories.category_key,
        categories.title,
        samples.stream_id,
        samples.user_name,
        samples.stream_title,
        samples.viewer_count,
        samples.crawl_at,
        samples.observed_at
    from samples
    inner join categories on samples.twitch_game_id = categories.twitch_game_id
    order by
        categories.category_key asc,
        samples.crawl_at asc,
        samples.stream_id asc,
        samples.viewer_count desc,
        samples.observed_at desc

),

placed as (

    select
        once.*,
        -- A part of a game's streams is no ranking of them while a whole one is young.
        coalesce(
            max(once.crawl_at) filter (
                where partial_crawls.crawl_at is null
                and once.crawl_at > {{ known_at() }} - interval '1 hour'
            ) over (partition by once.category_key),
            max(once.crawl_at) over (partition by once.category_key)
        ) as newest_crawl_at
    from once
    left join partial_crawls
        on
            once.category_key = partial_crawls.category_key
            and once.crawl_at = partial_crawls.crawl_at

),

shown as (

    select distinct
        category_key,
        newest_crawl_at
    from placed

),

-- What is shown is judged by a later run: until then a stream has its judgement of before.
judged as (

    select distinct on (anomalies.category_key, anomalies.stream_id)
        anomalies.category_key,
        anomalies.stream_id,
        anomalies.crawl_at,
        anomalies.anomaly_score,
        anomalies.direction
    from anomalies
    inner join shown
        on
            anomalies.category_key = shown.category_key
            and anomalies.crawl_at <= shown.newest_crawl_at
    where anomalies.crawl_at > {{ known_at() }} - interval '2 hours'
    order by anomalies.category_key asc, anomalies.stream_id asc, anomalies.crawl_at desc

),

-- The past of each stream beside what it has now.
measured as (

    select
        *,
        max(viewer_count) over by_stream as peak_viewer_count_24h,
        (
            avg(viewer_count) filter (
                where crawl_at < newest_crawl_at and crawl_at >= newest_crawl_at - interval '1 hour'
            ) over by_stream
        )::double precision as earlier_viewer_count,
        (
            count(*) filter (
                where crawl_at < newest_crawl_at and crawl_at >= newest_crawl_at - interval '1 hour'
            ) over by_stream
        )::integer as earlier_crawl_count
    from placed
    window by_stream as (partition by category_key, stream_id)

),

scored as (

    select
        *,
        -- Ten viewers on either side keep three friends from being a trend.
        100 * (viewer_count + 10) / (viewer_count + earlier_viewer_count + 20) as trend_score,
        -- A million viewers are 100, each tenth of that 16.7 less.
        least(
            100, 100 * ln(1 + viewer_count::double precision) / ln(1000001::double precision)
        ) as audience_score
    from measured
    where crawl_at = newest_crawl_at

),

weighed as (

    select
        *,
        -- Nobody knows where a new stream goes: it counts as one that stays.
        0.7::double precision * audience_score
        + 0.3::double precision * coalesce(trend_score, 50) as composite_score
    from scored

),

final as (

    select
        weighed.category_key,
        weighed.title,
        row_number() over (
            partition by weighed.category_key
            order by weighed.composite_score desc, weighed.viewer_count desc, weighed.stream_id asc
        )::integer as composite_rank,
        weighed.stream_id,
        weighed.user_name,
        weighed.stream_title,
        weighed.viewer_count,
        weighed.peak_viewer_count_24h,
        weighed.earlier_viewer_count,
        weighed.earlier_crawl_count,
        weighed.trend_score,
        weighed.audience_score,
        weighed.composite_score,
        judged.anomaly_score,
        judged.direction as anomaly_direction,
        case
            when judged.direction <> 'UNKNOWN' then judged.direction in ('SPIKE', 'DROP')
        end as is_anomaly,
        judged.crawl_at as anomaly_crawl_at,
        weighed.crawl_at,
        coalesce(coverage.expected_samples, 0) as expected_samples,
        coalesce(coverage.received_samples, 0) as received_samples,
        coalesce(coverage.coverage_pct, 0) as coverage_pct,
        weighed.observed_at as newest_observed_at,
        extract(epoch from {{ known_at() }} - weighed.observed_at)::double precision as lag_s,
        {{ known_at() }} as as_of
    from weighed
    left join judged
        on
            weighed.category_key = judged.category_key
            and weighed.stream_id = judged.stream_id
    left join coverage on weighed.category_key = coverage.category_key

)

select * from final
