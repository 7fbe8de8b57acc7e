with latest as (

    select * from {{ ref('stg_intelligence__latest_window') }}

),

opportunity as (

    select * from {{ ref('stg_intelligence__opportunity') }}

),

competition as (

    select * from {{ ref('stg_intelligence__competition') }}

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

-- The same window of the day before takes the rhythm of the day out of the comparison.
scores as (

    select
        opportunity.*,
        opportunity.window_start = latest.window_start as is_now
    from opportunity
    cross join latest
    where
        opportunity.window_start = (select window_start from latest)
        or opportunity.window_start = (select window_start - interval '24 hours' from latest)

),

speeds as (

    select
        velocity.category_key,
        velocity.video_id,
        velocity.velocity_now_per_hour,
        velocity.observed_at,
        velocity.window_start = latest.window_start as is_now
    from velocity
    cross join latest
    where
        velocity.window_start = (select window_start from latest)
        or velocity.window_start = (select window_start - interval '24 hours' from latest)

),

momentum as (

    select
        category_key,
        avg(velocity_now_per_hour) filter (where is_now) as velocity_now,
        avg(velocity_now_per_hour) filter (where not is_now) as velocity_day_ago,
        max(observed_at) filter (where is_now) as newest_observed_at,
        max(velocity_now_per_hour) filter (where is_now) as fastest_velocity,
        {{ first_by(
            'video_id', 'velocity_now_per_hour desc, video_id', 'is_now and velocity_now_per_hour is not null'
        ) }} as fastest_video_id
    from speeds
    group by category_key

),

joined as (

    select
        categories.category_key,
        categories.title,
        categories.kind,
        today.opportunity_score,
        today.opportunity_score - yesterday.opportunity_score as opportunity_change_24h,
        today.viral_count,
        today.rising_count,
        coalesce(today.sample_count, 0) as sample_count,
        today.velocity_ratio,
        momentum.velocity_now as velocity_now_per_hour,
        {{ percent_change('momentum.velocity_now', 'momentum.velocity_day_ago') }}
            as velocity_change_24h_pct,
        momentum.fastest_video_id,
        title.title as fastest_video_title,
        momentum.fastest_velocity as fastest_video_velocity_per_hour,
        competition.live_count,
        competition.viewer_total,
        competition.ease_score,
        competition.concentration_band,
        competition.is_peak,
        coalesce(today.confidence_pct, 0) as confidence_pct,
        coalesce(coverage.expected_samples, 0) as expected_samples,
        coalesce(coverage.received_samples, 0) as received_samples,
        coalesce(coverage.coverage_pct, 0) as coverage_pct,
        momentum.newest_observed_at,
        latest.as_of
    from categories
    cross join latest
    left join scores as today
        on
            categories.category_key = today.category_key
            and today.is_now
    left join scores as yesterday
        on
            categories.category_key = yesterday.category_key
            and not yesterday.is_now
    left join competition
        on
            categories.category_key = competition.category_key
            and competition.window_start = (select window_start from latest)
    left join momentum on categories.category_key = momentum.category_key
    left join coverage on categories.category_key = coverage.category_key
    left join lateral (
        select videos.title
        from videos
        where
            videos.video_id = momentum.fastest_video_id
            and videos.first_observed_at <= {{ known_at() }}
        order by videos.first_observed_at desc
        limit 1
    ) as title on true
    where categories.is_enabled

),

final as (

    select
        category_key,
        title,
        kind,
        -- Ten percent above yesterday's pace, so that noise around it is no take-off.
        velocity_change_24h_pct >= 10 as is_taking_off,
        case
            when
                least(confidence_pct, coverage_pct) >= 80 and sample_count >= 30
                then 'HIGH'
            when
                least(confidence_pct, coverage_pct) >= 50 and sample_count >= 20
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
        fastest_video_id,
        fastest_video_title,
        fastest_video_velocity_per_hour,
        live_count,
        viewer_total,
        ease_score,
        concentration_band,
        is_peak,
        confidence_pct,
        expected_samples,
        received_samples,
        coverage_pct,
        newest_observed_at,
        extract(epoch from as_of - newest_observed_at)::double precision as lag_s,
        as_of
    from joined

)

select * from final
