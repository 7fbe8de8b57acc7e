-- Not materialized: who asks about one game must not wait for all of them.
with daily as not materialized (

    select * from {{ ref('intel_competition_days') }}
    where as_of <= {{ known_at() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}
    where is_enabled

),

final as (

    select
        today.category_key,
        categories.title,
        today.date,
        today.avg_live_count,
        today.avg_viewer_total,
        today.peak_viewer_total,
        today.peak_hour_utc,
        today.full_page_count,
        today.saturation_sample_count,
        today.avg_saturation_score,
        today.avg_hhi,
        case
            when today.avg_hhi is null then null
            when today.avg_hhi < 0.15 then 'LOW'
            when today.avg_hhi <= 0.25 then 'MODERATE'
            else 'HIGH'
        end as concentration_band,
        today.avg_concentration_score,
        today.avg_ease_score,
        -- A saturation that is learned in between is no change of the game.
        case
            when (today.avg_saturation_score is null) = (before.avg_saturation_score is null)
                then today.avg_ease_score - before.avg_ease_score
        end as ease_change_7d,
        -- "At least 100" is not comparable.
        case
            when today.full_page_count = 0 and before.full_page_count = 0
                then {{ percent_change('today.avg_live_count', 'before.avg_live_count') }}
        end as live_count_change_7d_pct,
        {{ percent_change('today.avg_viewer_total', 'before.avg_viewer_total') }}
            as viewer_change_7d_pct,
        today.confidence_pct,
        today.expected_samples,
        today.received_samples,
        today.coverage_pct,
        today.newest_observed_at,
        today.lag_s,
        today.as_of
    from daily as today
    left join daily as before
        on
            today.category_key = before.category_key
            and before.date = today.date - 7
    inner join categories on today.category_key = categories.category_key
    where
        today.date > {{ newest_date('intel_competition_days') }} - 90

)

select * from final
