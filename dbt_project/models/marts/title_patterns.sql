with titles as (

    select * from {{ ref('stg_intelligence__title_intel') }}
    -- An analysis counts once its four hours are over.
    where window_start <= {{ known_at() }} - interval '4 hours'

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

coverage as (

    select * from {{ ref('int_youtube_coverage') }}

),

newest as (

    select * from {{ ref('stg_intelligence__latest_titles') }}

),

final as (

    select
        titles.category_key,
        categories.title,
        titles.pattern,
        titles.verdict,
        titles.lift,
        titles.ci_low,
        titles.ci_high,
        titles.q_value,
        titles.pattern_share,
        titles.pattern_count,
        titles.title_count,
        titles.with_count,
        titles.without_count,
        coalesce(coverage.expected_samples, 0) as expected_samples,
        coalesce(coverage.received_samples, 0) as received_samples,
        coalesce(coverage.coverage_pct, 0) as coverage_pct,
        case
            when coverage.newest_observed_at is not null
                then least(coverage.newest_observed_at, titles.as_of)
        end as newest_observed_at,
        case
            when coverage.newest_observed_at is not null
                then
                    extract(
                        epoch from titles.as_of - least(coverage.newest_observed_at, titles.as_of)
                    )
        end::double precision as lag_s,
        titles.as_of
    from titles
    inner join categories on titles.category_key = categories.category_key
    left join coverage on titles.category_key = coverage.category_key
    where
        titles.window_start = (select newest.window_start from newest)
        and categories.is_enabled

)

select * from final
