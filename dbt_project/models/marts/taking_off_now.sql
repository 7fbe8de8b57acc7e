with latest as (

    select * from {{ ref('int_latest_window') }}

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
windows as (

    select
        window_start,
        true as is_now
    from latest

    union all

    select
        window_start - interval '24 hours' as window_start,
        false as is_now
    from latest

),

momentum as (

    select
        velocity.category_key,
        avg(velocity.velocity_now_per_hour) filter (where windows.is_now) as velocity_now,
        avg(velocity.velocity_now_per_hour) filter (where not windows.is_now) as velocity_day_ago,
        max(velocity.observed_at) filter (where windows.is_now) as newest_observed_at
    from velocity
    inner join windows on velocity.window_start = windows.window_start
    group by velocity.category_key

),

fastest as (

    select distinct on (velocity.category_key)
        velocity.category_key,
        velocity.video_id,
        velocity.velocity_now_per_hour
    from velocity
    inner join latest on velocity.window_start = latest.window_start
    where velocity.velocity_now_per_hour is not null
    order by
        velocity.category_key, velocity.velocity_now_per_hour desc, velocity.video_id

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
        fastest.video_id as fastest_video_id,
        title.title as fastest_video_title,
        fastest.velocity_now_per_hour as fastest_video_velocity_per_hour,
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
    left join opportunity as today
        on
            categories.category_key = today.category_key
            and latest.window_start = today.window_start
    left join opportunity as yesterday
        on
            categories.category_key = yesterday.category_key
            and latest.window_start - interval '24 hours' = yesterday.window_start
    left join competition
        on
            categories.category_key = competition.category_key
            and latest.window_start = competition.window_start
    left join momentum on categories.category_key = momentum.category_key
    left join fastest on categories.category_key = fastest.category_key
    left join coverage on categories.category_key = coverage.category_key
    left join lateral (
        select videos.title
        from videos
        where videos.video_id = fastest.video_id
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
