with crawls as (

    select * from {{ ref('stg_operations__crawls') }}
    where
        crawl_at > {{ known_at() }} - interval '24 hours'
        and crawl_at <= {{ known_at() }}
        and coalesce(observed_at, crawl_at) <= {{ known_at() }}

),

categories as (

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

-- A region that answered once today is expected all day.
regions as (

    select
        dataset,
        category_key,
        count(distinct region) as region_count
    from crawls
    group by dataset, category_key

),

expected as (

    select
        cadences.dataset,
        categories.category_key,
        coalesce(regions.region_count, 1)::integer as region_count,
        (
            greatest(1440 / coalesce(cadences.interval_minutes, categories.interval_minutes), 1)
            * coalesce(regions.region_count, 1)
        )::integer as expected_samples
    from cadences
    inner join categories on cadences.kind = categories.kind
    left join regions
        on
            cadences.dataset = regions.dataset
            and categories.category_key = regions.category_key
    where categories.is_enabled

),

received as (

    select
        dataset,
        category_key,
        count(*) as received_samples,
        -- A crawl that was cut off counts for what it got.
        sum(
            case
                when is_complete or coalesce(expected_count, 0) = 0 then 1
                else least(1, got_count * 1.0 / expected_count)
            end
        ) as whole_samples,
        count(*) filter (where is_complete) as complete_samples,
        sum(expected_count) as items_expected,
        sum(got_count) as items_got,
        sum(rejected_count) as items_rejected,
        max(observed_at) as newest_observed_at
    from crawls
    where got_count > 0 or is_complete
    group by dataset, category_key

),

final as (

    select
        expected.dataset,
        expected.category_key,
        expected.region_count,
        expected.expected_samples,
        coalesce(received.received_samples, 0)::integer as received_samples,
        coalesce(received.complete_samples, 0)::integer as complete_samples,
        least(
            100, coalesce(received.whole_samples, 0) * 100.0 / expected.expected_samples
        )::double precision as coverage_pct,
        coalesce(received.items_expected, 0)::bigint as items_expected,
        coalesce(received.items_got, 0)::bigint as items_got,
        coalesce(received.items_rejected, 0)::bigint as items_rejected,
        received.newest_observed_at
    from expected
    left join received
        on
            expected.dataset = received.dataset
            and expected.category_key = received.category_key

)

select * from final
