with categories as (

    select * from {{ ref('stg_operations__categories') }}

),

-- How often each dataset is collected. The games' interval belongs to the game; the others are
-- those of the schedules.
cadences as (

    select *
    from (
        values
        ('collection/youtube_trending', 'chart', 30),
        ('collection/youtube_games', 'game', null),
        ('collection/twitch_streams', 'game', 15),
        ('collection/clip_radar', 'game', 5)
    ) as cadence (dataset, kind, interval_minutes)

),

-- One pass over the crawls of a day, so that who asks about one game reads the crawls of one.
counted as (

    select
        dataset,
        category_key,
        -- A region that answered once today is expected all day.
        count(distinct region) as region_count,
        count(*) filter (where is_sample) as received_samples,
        -- A crawl that was cut off counts for what it got.
        sum(whole_sample) filter (where is_sample) as whole_samples,
        count(*) filter (where is_complete) as complete_samples,
        sum(expected_count) filter (where is_sample) as items_expected,
        sum(got_count) filter (where is_sample) as items_got,
        sum(rejected_count) filter (where is_sample) as items_rejected,
        max(observed_at) filter (where is_sample) as newest_observed_at
    from (
        select
            *,
            got_count > 0 or is_complete as is_sample,
            case
                when is_complete or coalesce(expected_count, 0) = 0 then 1
                else least(1, got_count * 1.0 / expected_count)
            end as whole_sample
        from {{ ref('stg_operations__crawls') }}
        where
            crawl_at > {{ known_at() }} - interval '24 hours'
            and crawl_at <= {{ known_at() }}
            and coalesce(observed_at, crawl_at) <= {{ known_at() }}
    ) as crawls
    group by dataset, category_key

),

expected as (

    select
        cadences.dataset,
        categories.category_key,
        coalesce(counted.region_count, 1)::integer as region_count,
        (
            greatest(1440 / coalesce(cadences.interval_minutes, categories.interval_minutes), 1)
            * coalesce(counted.region_count, 1)
        )::integer as expected_samples,
        coalesce(counted.received_samples, 0)::integer as received_samples,
        coalesce(counted.complete_samples, 0)::integer as complete_samples,
        coalesce(counted.whole_samples, 0) as whole_samples,
        coalesce(counted.items_expected, 0)::bigint as items_expected,
        coalesce(counted.items_got, 0)::bigint as items_got,
        coalesce(counted.items_rejected, 0)::bigint as items_rejected,
        counted.newest_observed_at
    from cadences
    inner join categories on cadences.kind = categories.kind
    left join counted
        on
            cadences.dataset = counted.dataset
            and categories.category_key = counted.category_key
    where categories.is_enabled

),

final as (

    select
        dataset,
        category_key,
        region_count,
        expected_samples,
        received_samples,
        complete_samples,
        least(100, whole_samples * 100.0 / expected_samples)::double precision as coverage_pct,
        items_expected,
        items_got,
        items_rejected,
        newest_observed_at
    from expected

)

select * from final
