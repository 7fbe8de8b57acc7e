{{ config(post_hook='{{ create_get_optimal_duration() }}') }}

-- Not materialized: who asks about one game must not wait for all of them.
with recent as not materialized (

    select * from {{ ref('intel_duration_performance') }}
    where
        as_of <= {{ known_at() }}
        and date > {{ newest_date('intel_duration_performance') }} - 28

),

categories as (

    select * from {{ ref('stg_operations__categories') }}
    where is_enabled

),

-- Days weigh alike. A day without five videos of the length says nothing about it, and one that
-- was carried forward from before an outage is no day.
lengths as (

    select
        category_key,
        bucket_label,
        max(bucket_min_seconds) as bucket_min_seconds,
        max(bucket_max_seconds) as bucket_max_seconds,
        count(performance_index) filter (where {{ counts_as_day() }}) as day_count,
        {{ exact_mean("case when " ~ counts_as_day() ~ " then performance_index end", "1e9") }}
            as performance_index,
        {{ exact_deviation("case when " ~ counts_as_day() ~ " then performance_index end", "1e9") }}
            as day_spread,
        {{ exact_mean("case when " ~ counts_as_day() ~ " then avg_engagement end", "1e12") }}
            as avg_engagement,
        count(*) filter (where is_optimal and {{ counts_as_day() }}) as optimal_day_count,
        sum(video_count) as video_day_count,
        sum(expected_samples) as expected_samples,
        sum(received_samples) as received_samples,
        max(newest_observed_at) as newest_observed_at,
        max(as_of) as as_of
    from recent
    group by category_key, bucket_label

),

bounded as (

    select
        *,
        case
            when day_count >= 3 then {{ z95() }} * day_spread / sqrt(day_count)
        end as reach
    from lengths

),

final as (

    select
        bounded.category_key,
        categories.title,
        bounded.bucket_label,
        bounded.bucket_min_seconds,
        bounded.bucket_max_seconds,
        bounded.performance_index,
        greatest(bounded.performance_index - bounded.reach, 0 * bounded.reach) as index_low,
        bounded.performance_index + bounded.reach as index_high,
        bounded.performance_index - bounded.reach > 1 as is_better,
        bounded.performance_index + bounded.reach < 1 as is_worse,
        bounded.optimal_day_count::integer as optimal_day_count,
        bounded.avg_engagement,
        bounded.day_count::integer as day_count,
        bounded.video_day_count::integer as video_day_count,
        bounded.expected_samples::integer as expected_samples,
        bounded.received_samples::integer as received_samples,
        (bounded.received_samples * 100.0 / bounded.expected_samples)::double precision
            as coverage_pct,
        bounded.newest_observed_at,
        extract(epoch from bounded.as_of - bounded.newest_observed_at)::double precision as lag_s,
        bounded.as_of
    from bounded
    inner join categories on bounded.category_key = categories.category_key

)

select * from final
