-- Not materialized: who asks about one game must not wait for all of them.
with analyses as not materialized (

    select * from {{ ref('stg_intelligence__clip_video_lead_lag') }}
    -- An analysis counts once its four hours are over.
    where window_start <= {{ known_at() }} - interval '4 hours'

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

coverage as (

    select * from {{ ref('int_collection_coverage') }}

),

newest as (

    select * from {{ ref('stg_intelligence__latest_clip_leads') }}

),

-- One analysis names a link by chance one time in twenty, so each stands beside those of its week.
compared as (

    select
        *,
        window_start = (select newest.window_start from newest) as is_newest,
        first_value(relation) over (
            partition by category_key
            order by window_start desc
        ) as newest_relation
    from analyses
    where window_start > (select newest.window_start - interval '7 days' from newest)

),

week as (

    select
        *,
        count(*) filter (where relation <> 'UNKNOWN')
            over (partition by category_key) as known_count,
        count(*) filter (where relation <> 'UNKNOWN' and relation = newest_relation)
            over (partition by category_key) as same_count
    from compared

),

-- As old as the older of the two sides; unknown where one of them brought nothing for a day.
snapshots as (

    select
        category_key,
        case
            when count(newest_observed_at) = count(*) then min(newest_observed_at)
        end as newest_observed_at
    from coverage
    where dataset in ('collection/clip_radar', 'collection/youtube_games')
    group by category_key

),

final as (

    select
        week.category_key,
        categories.title,
        week.relation,
        week.lag_h::integer as lag_h,
        week.lag_low_h::integer as lag_low_h,
        week.lag_high_h::integer as lag_high_h,
        week.correlation,
        week.band,
        week.p_value,
        week.same_count::integer as same_relation_count_7d,
        week.known_count::integer as known_count_7d,
        week.common_hours,
        week.clip_hours,
        week.video_hours,
        week.resolution_h,
        336 as expected_samples,
        week.common_hours as received_samples,
        (week.common_hours * 100.0 / 336)::double precision as coverage_pct,
        case
            when snapshots.newest_observed_at is not null
                then least(snapshots.newest_observed_at, week.as_of)
        end as newest_observed_at,
        case
            when snapshots.newest_observed_at is not null
                then
                    extract(
                        epoch from week.as_of - least(snapshots.newest_observed_at, week.as_of)
                    )
        end::double precision as lag_s,
        week.as_of
    from week
    inner join categories on week.category_key = categories.category_key
    left join snapshots on week.category_key = snapshots.category_key
    where
        week.is_newest
        and categories.is_enabled

)

select * from final
