with latest as (

    select * from {{ ref('stg_intelligence__latest_window') }}

),

history as not materialized (

    select * from {{ ref('stg_maintenance__score_history') }}

),

today as (

    select * from {{ ref('stg_intelligence__viral_scores') }}

),

velocity as (

    select * from {{ ref('stg_intelligence__video_velocity') }}

),

videos as (

    select * from {{ ref('stg_collection__youtube_videos') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

coverage as (

    select * from {{ ref('int_youtube_coverage') }}

),

-- A window that was scored again since the moment speaks as it did then.
{{ kept_scores(['intelligence/viral_scores'], ['0 hours']) }},

scores as (

    select
        today.category_key,
        today.video_id,
        today.trend_class,
        today.viral_score,
        today.decayed_score,
        today.confidence_pct,
        today.sample_count
    from today
    where
        today.window_start = (select window_start from latest)
        and today.window_start not in (select kept_windows.window_start from kept_windows)

    union all

    select
        kept.category_key,
        kept.row_key ->> 'video_id' as video_id,
        {{ kept_value('trend_class', 'text') }},
        {{ kept_value('viral_score', 'double precision') }},
        {{ kept_value('decayed_score', 'double precision') }},
        {{ kept_value('confidence_pct', 'double precision') }},
        {{ kept_value('sample_count', 'integer') }}
    from kept

),

ranked as (

    select
        scores.category_key,
        scores.video_id,
        scores.trend_class,
        scores.viral_score,
        scores.decayed_score,
        scores.confidence_pct,
        scores.sample_count,
        velocity.views,
        velocity.engagement_rate,
        velocity.duration_s,
        velocity.language,
        velocity.lifetime_velocity_per_hour,
        velocity.velocity_now_per_hour,
        velocity.best_rank,
        velocity.region_count,
        velocity.published_at,
        velocity.observed_at,
        latest.as_of,
        row_number() over (
            partition by scores.category_key
            order by
                scores.decayed_score desc nulls last,
                velocity.lifetime_velocity_per_hour desc nulls last,
                scores.video_id
        ) as position
    from scores
    cross join latest
    inner join velocity
        on
            scores.category_key = velocity.category_key
            and scores.video_id = velocity.video_id
    where velocity.window_start = (select window_start from latest)

),

final as (

    select
        ranked.category_key,
        ranked.position::integer as position,
        ranked.video_id,
        metadata.title,
        metadata.channel_id,
        metadata.channel_title,
        ranked.trend_class,
        ranked.viral_score,
        ranked.decayed_score,
        ranked.views,
        ranked.lifetime_velocity_per_hour,
        ranked.velocity_now_per_hour,
        ranked.engagement_rate,
        ranked.duration_s,
        {{ short_likelihood('ranked.duration_s', 'ranked.published_at') }} as short_likelihood,
        {{ shorts_rule_version() }}::text as shorts_rule_version,
        ranked.language,
        ranked.best_rank::integer as best_rank,
        ranked.region_count::integer as region_count,
        ranked.published_at,
        ranked.sample_count,
        ranked.confidence_pct,
        coalesce(coverage.expected_samples, 0) as expected_samples,
        coalesce(coverage.received_samples, 0) as received_samples,
        coalesce(coverage.coverage_pct, 0) as coverage_pct,
        ranked.observed_at,
        extract(epoch from ranked.as_of - ranked.observed_at)::double precision as lag_s,
        ranked.as_of
    from ranked
    inner join categories on ranked.category_key = categories.category_key
    left join coverage on ranked.category_key = coverage.category_key
    left join lateral (
        select
            videos.title,
            videos.channel_id,
            videos.channel_title
        from videos
        where
            videos.video_id = ranked.video_id
            and videos.first_observed_at <= {{ known_at() }}
        order by videos.first_observed_at desc
        limit 1
    ) as metadata on true
    where
        ranked.position <= 50
        and categories.is_enabled

)

select * from final
