with ledger as (

    select
        *,
        (reserved_at at time zone 'UTC')::date as date
    from {{ ref('stg_operations__quota_ledger') }}
    where
        reserved_at <= {{ known_at() }}
        and reserved_at > {{ known_at() }} - interval '30 days'

),

crawls as (

    select
        *,
        (crawl_at at time zone 'UTC')::date as date
    from {{ ref('stg_operations__crawls') }}
    where
        crawl_at <= {{ known_at() }}
        and crawl_at > {{ known_at() }} - interval '31 days'

),

channels as (

    select * from {{ ref('intel_channel_days') }}
    where
        as_of <= {{ known_at() }}
        and as_of > {{ known_at() }} - interval '31 days'

),

competition as (

    select * from {{ ref('intel_competition_days') }}
    where
        as_of <= {{ known_at() }}
        and as_of > {{ known_at() }} - interval '31 days'

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

spent as (

    select
        date,
        platform,
        purpose,
        sum(
            coalesce(
                case when settled_at <= {{ known_at() }} then units_settled end, units_reserved
            )
        ) as units,
        count(*) as call_count,
        count(*) filter (where settled_at <= {{ known_at() }}) as settled_count,
        max(reserved_at) as newest_observed_at
    from ledger
    group by date, platform, purpose

),

-- A call's purpose is the dataset it was made for.
stored as (

    select
        date,
        dataset as purpose,
        sum(got_count) as row_count
    from crawls
    group by date, dataset

),

-- What a dataset is collected for: videos that broke out, and games whose competition is known.
insights as (

    select
        channels.date,
        case categories.kind
            when 'chart' then 'collection/youtube_trending'
            else 'collection/youtube_games'
        end as purpose,
        'videos that went viral or rose' as insight,
        sum(channels.breakout_count) as insight_count
    from channels
    inner join categories on channels.category_key = categories.category_key
    group by channels.date, categories.kind

    union all

    select
        date,
        'collection/twitch_streams' as purpose,
        'half hours of a game''s competition' as insight,
        sum(received_samples) as insight_count
    from competition
    group by date

),

final as (

    select
        spent.date,
        spent.platform,
        spent.purpose as dataset,
        spent.units::bigint as units,
        spent.call_count::integer as call_count,
        stored.row_count::bigint as row_count,
        (spent.units * 1000.0 / nullif(stored.row_count, 0))::double precision
            as units_per_1000_rows,
        insights.insight,
        insights.insight_count::bigint as insight_count,
        (spent.units::double precision / nullif(insights.insight_count, 0))::double precision
            as units_per_insight,
        spent.call_count::integer as expected_samples,
        spent.settled_count::integer as received_samples,
        (spent.settled_count * 100.0 / spent.call_count)::double precision as coverage_pct,
        spent.newest_observed_at,
        extract(
            epoch from
            least({{ known_at() }}, {{ end_of_day('spent.date') }}) - spent.newest_observed_at
        )::double precision as lag_s,
        least({{ known_at() }}, {{ end_of_day('spent.date') }}) as as_of
    from spent
    left join stored
        on
            spent.date = stored.date
            and spent.purpose = stored.purpose
    left join insights
        on
            spent.date = insights.date
            and spent.purpose = insights.purpose

)

select * from final
