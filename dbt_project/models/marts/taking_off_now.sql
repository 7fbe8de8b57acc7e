-- The steps to a figure stand inside it, and what is read once where it is read: the planner walks
-- the whole of a query for each CTE of it, which took longer than to answer.
with latest as (

    select * from {{ ref('stg_intelligence__latest_window') }}

),

history as not materialized (

    select * from {{ ref('stg_maintenance__score_history') }}

),

-- Not materialized: two of its windows are looked up.
competition as not materialized (

    select * from {{ ref('stg_intelligence__competition') }}

),

-- Streams are counted also where the policy mode permits no score of videos.
streamed as (

    select
        coalesce(
            (select latest.window_start from latest),
            (
                select competition.window_start
                from competition
                where competition.window_start <= {{ open_until() }} - interval '30 minutes'
                order by competition.window_start desc
                limit 1
            )
        ) as window_start

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

-- Windows that were scored again since the moment speak as they did then.
{{ kept_scores(
    ['intelligence/opportunity', 'intelligence/competition'], ['0 hours', '24 hours'], 'streamed'
) }},

-- Now beside the day before, in one row, so that who asks about one game reads its rows alone.
compared as (

    -- The same window of the day before takes the rhythm of the day out of the comparison.
    with scores as (

        select
            opportunity.category_key,
            opportunity.opportunity_score,
            opportunity.viral_count,
            opportunity.rising_count,
            opportunity.sample_count,
            opportunity.velocity_ratio,
            opportunity.confidence_pct,
            opportunity.window_start = latest.window_start as is_now
        from {{ ref('stg_intelligence__opportunity') }} as opportunity
        cross join latest
        where
            (
                opportunity.window_start = (select window_start from latest)
                or opportunity.window_start
                = (select window_start - interval '24 hours' from latest)
            )
            and opportunity.window_start not in (
                select kept_windows.window_start from kept_windows
                where kept_windows.asset = 'intelligence/opportunity'
            )

        union all

        select
            kept.category_key,
            {{ kept_value('opportunity_score', 'double precision') }},
            {{ kept_value('viral_count', 'integer') }},
            {{ kept_value('rising_count', 'integer') }},
            {{ kept_value('sample_count', 'integer') }},
            {{ kept_value('velocity_ratio', 'double precision') }},
            {{ kept_value('confidence_pct', 'double precision') }},
            kept.window_start = latest.window_start as is_now
        from kept
        cross join latest
        where kept.asset = 'intelligence/opportunity'

    )

    select
        category_key,
        max(opportunity_score) filter (where is_now) as opportunity_score,
        max(opportunity_score) filter (where not is_now) as opportunity_score_before,
        max(viral_count) filter (where is_now) as viral_count,
        max(rising_count) filter (where is_now) as rising_count,
        max(sample_count) filter (where is_now) as sample_count,
        max(velocity_ratio) filter (where is_now) as velocity_ratio,
        max(confidence_pct) filter (where is_now) as confidence_pct
    from scores
    group by category_key

),

broadcasts as (

    select
        competition.category_key,
        competition.live_count,
        competition.viewer_total,
        competition.ease_score,
        competition.concentration_band,
        competition.is_peak
    from competition
    where
        competition.window_start = (select window_start from streamed)
        and competition.window_start not in (
            select kept_windows.window_start from kept_windows
            where kept_windows.asset = 'intelligence/competition'
        )

    union all

    select
        kept.category_key,
        {{ kept_value('live_count', 'integer') }},
        {{ kept_value('viewer_total', 'bigint') }},
        {{ kept_value('ease_score', 'double precision') }},
        {{ kept_value('concentration_band', 'text') }},
        {{ kept_value('is_peak', 'boolean') }}
    from kept
    where
        kept.asset = 'intelligence/competition'
        and kept.window_start = (select window_start from streamed)

),

-- Whether another source answers than a day before.
starts as not materialized (

    select count(*) > 0 as is_another_source
    from {{ ref('stg_operations__source_starts') }} as starts
    cross join latest
    where
        starts.dataset = 'collection/youtube_trending'
        and starts.started_at >= latest.window_start - interval '23 hours 30 minutes'
        and starts.started_at < latest.window_start + interval '30 minutes'
        and starts.started_at <= {{ known_at() }}

),

momentum as (

    -- Two pairs of windows, so that each pace is that of six hours however often a game is polled:
    -- the newest with the one six hours before it, and the same two of the day before.
    with speeds as (

        select
            velocity.category_key,
            velocity.video_id,
            velocity.velocity_now_per_hour,
            velocity.views,
            velocity.age_h,
            velocity.observed_at,
            (extract(epoch from latest.window_start - velocity.window_start) / 3600)::integer
                as hours_ago
        from {{ ref('stg_intelligence__video_velocity') }} as velocity
        cross join latest
        where
            velocity.window_start = (select window_start from latest)
            or velocity.window_start = (select window_start - interval '6 hours' from latest)
            or velocity.window_start = (select window_start - interval '24 hours' from latest)
            or velocity.window_start = (select window_start - interval '30 hours' from latest)

    ),

    -- Each video beside itself a day before: a mean over whatever was known in each window compares
    -- two different sets of videos.
    counters as (

        select
            category_key,
            video_id,
            bool_or(hours_ago = 0) as is_known_now,
            bool_or(hours_ago = 24) as was_known_before,
            max(velocity_now_per_hour) filter (where hours_ago = 0) as velocity_now_per_hour,
            max(observed_at) filter (where hours_ago = 0) as observed_at,
            max(age_h) filter (where hours_ago = 0) as now_age_h,
            max(age_h) filter (where hours_ago = 24) as before_age_h,
            max(views) filter (where hours_ago = 0)
            - max(views) filter (where hours_ago = 6) as now_gain,
            max(views) filter (where hours_ago = 24)
            - max(views) filter (where hours_ago = 30) as before_gain,
            extract(
                epoch from
                max(observed_at) filter (where hours_ago = 0)
                - max(observed_at) filter (where hours_ago = 6)
            )::double precision / 3600 as now_span_h,
            extract(
                epoch from
                max(observed_at) filter (where hours_ago = 24)
                - max(observed_at) filter (where hours_ago = 30)
            )::double precision / 3600 as before_span_h
        from speeds
        group by category_key, video_id

    ),

    -- A counter that fell, or two snapshots that are not about six hours apart, give no pace. The
    -- pace is that of the middle of its span.
    paces as (

        select
            *,
            case when now_gain >= 0 and now_span_h between 3 and 12 then now_gain / now_span_h end
                as now_per_hour,
            case
                when before_gain >= 0 and before_span_h between 3 and 12
                    then before_gain / before_span_h
            end as before_per_hour,
            greatest(now_age_h - now_span_h / 2, 0.5) as now_middle_h,
            greatest(before_age_h - before_span_h / 2, 0.5) as before_middle_h
        from counters

    ),

    -- A video's pace falls as 1 / age by nature, so pace × age is what stays when nothing happens.
    changes as (

        select
            *,
            case
                when greatest(now_span_h, before_span_h) <= 2 * least(now_span_h, before_span_h)
                    then
                        ln((1 + now_per_hour) / (1 + before_per_hour))
                        + ln(now_middle_h / before_middle_h)
            end as log_change
        from paces

    ),

    cohorts as (

        select
            category_key,
            {{ exact_mean("velocity_now_per_hour") }} as velocity_now,
            max(observed_at) as newest_observed_at,
            max(velocity_now_per_hour) as fastest_velocity,
            {{ first_by(
                'video_id',
                'velocity_now_per_hour desc, video_id',
                'velocity_now_per_hour is not null'
            ) }} as fastest_video_id,
            count(log_change) as matched_count,
            count(*) filter (where is_known_now) as now_count,
            count(*) filter (where was_known_before) as before_count,
            bool_or(is_known_now and was_known_before) as has_same_videos,
            count(before_per_hour) as before_known_count,
            {{ exact_sum("case when log_change is not null then now_per_hour end") }}
                as matched_now,
            {{ exact_sum("case when log_change is not null then before_per_hour end") }}
                as matched_before,
            percentile_cont(0.5) within group (order by log_change) as log_change,
            array_agg(log_change order by log_change) filter (where log_change is not null)
                as log_changes
        from changes
        group by category_key

    )

    select
        *,
        matched_count * 100.0 / greatest(now_count, before_count) as matched_pct,
        before_known_count * 100.0 / nullif(before_count, 0) as reference_coverage_pct,
        -- The ranks between which the median lies in 95 of 100 samples; fewer than six have none.
        case
            when matched_count >= 6
                then
                    greatest(
                        floor((matched_count - {{ z95() }} * sqrt(matched_count)) / 2), 1
                    )::integer
        end as low_rank
    from cohorts

),

final as (

    with joined as (

        select
            categories.category_key,
            categories.title,
            categories.kind,
            compared.opportunity_score,
            -- With not one video in common it is others that are scored; only a chart may replace
            -- all of its own within a day.
            case
                when
                    (categories.kind = 'chart' or momentum.has_same_videos)
                    and not (select starts.is_another_source from starts)
                    then compared.opportunity_score - compared.opportunity_score_before
            end as opportunity_change_24h,
            compared.viral_count,
            compared.rising_count,
            coalesce(compared.sample_count, 0) as sample_count,
            compared.velocity_ratio,
            momentum.velocity_now as velocity_now_per_hour,
            (exp(momentum.log_change) - 1) * 100 as velocity_change_24h_pct,
            (exp(momentum.log_changes[momentum.low_rank]) - 1) * 100 as velocity_change_low_pct,
            (exp(momentum.log_changes[momentum.matched_count - momentum.low_rank + 1]) - 1) * 100
                as velocity_change_high_pct,
            {{ percent_change('momentum.matched_now', 'momentum.matched_before') }}
                as matched_velocity_change_pct,
            coalesce(momentum.matched_count, 0)::integer as matched_count,
            coalesce(momentum.matched_pct, 0)::double precision as matched_pct,
            coalesce(momentum.reference_coverage_pct, 0)::double precision
                as reference_coverage_pct,
            momentum.fastest_video_id,
            title.title as fastest_video_title,
            momentum.fastest_velocity as fastest_video_velocity_per_hour,
            broadcasts.live_count,
            broadcasts.viewer_total,
            broadcasts.ease_score,
            broadcasts.concentration_band,
            broadcasts.is_peak,
            coalesce(compared.confidence_pct, 0) as confidence_pct,
            coalesce(coverage.expected_samples, 0) as expected_samples,
            coalesce(coverage.received_samples, 0) as received_samples,
            coalesce(coverage.coverage_pct, 0) as coverage_pct,
            momentum.newest_observed_at,
            forbidden.reason as not_computed_reason,
            latest.as_of
        from categories
        cross join latest
        left join compared on categories.category_key = compared.category_key
        left join broadcasts on categories.category_key = broadcasts.category_key
        left join momentum on categories.category_key = momentum.category_key
        left join {{ ref('int_youtube_coverage') }} as coverage
            on categories.category_key = coverage.category_key
        left join {{ ref('stg_maintenance__retention_rules') }} as forbidden
            on
                forbidden.table_name = 'intelligence.opportunity'
                and not forbidden.is_computed
        left join lateral (
            select videos.title
            from {{ ref('stg_collection__youtube_videos') }} as videos
            where
                videos.video_id = momentum.fastest_video_id
                and videos.first_observed_at <= {{ known_at() }}
            order by videos.first_observed_at desc
            limit 1
        ) as title on true
        where categories.is_enabled

    )

    select
        category_key,
        title,
        kind,
        -- Ten percent above what the same videos' age would have them do, and surely above it. Less
        -- than a quarter of the videos do not speak for the rest: those that stay on a chart are
        -- those that do well.
        case
            when matched_count >= 6 and matched_pct >= 25
                then velocity_change_24h_pct >= 10 and velocity_change_low_pct > 0
        end as is_taking_off,
        case
            when
                least(confidence_pct, coverage_pct, reference_coverage_pct) >= 80
                and matched_pct >= 50
                and least(sample_count, matched_count) >= 30
                then 'HIGH'
            when
                least(confidence_pct, coverage_pct, reference_coverage_pct) >= 50
                and matched_pct >= 25
                and sample_count >= 20
                and matched_count >= 10
                then 'MEDIUM'
            else 'LOW'
        end as certainty,
        opportunity_score,
        opportunity_change_24h,
        viral_count,
        rising_count,
        sample_count,
        velocity_ratio,
        velocity_now_per_hour,
        velocity_change_24h_pct,
        velocity_change_low_pct,
        velocity_change_high_pct,
        matched_velocity_change_pct,
        matched_count,
        matched_pct,
        reference_coverage_pct,
        fastest_video_id,
        fastest_video_title,
        fastest_video_velocity_per_hour,
        live_count,
        viewer_total,
        ease_score,
        concentration_band,
        is_peak,
        confidence_pct,
        not_computed_reason,
        expected_samples,
        received_samples,
        coverage_pct,
        newest_observed_at,
        extract(epoch from as_of - newest_observed_at)::double precision as lag_s,
        as_of
    from joined

)

select * from final
