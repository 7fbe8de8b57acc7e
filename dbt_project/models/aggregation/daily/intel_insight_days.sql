with channels as (

    select * from {{ ref('intel_channel_days') }}
    where
        date >= {{ date_start() }}
        and date < {{ date_end() }}

),

competition as (

    select * from {{ ref('intel_competition_days') }}
    where
        date >= {{ date_start() }}
        and date < {{ date_end() }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

days as (

    select * from {{ ref('int_days') }}

),

-- What a dataset is collected for: videos that broke out, and games whose competition is known.
datasets as (

    select *
    from (
        values
        ('collection/youtube_trending', 'videos that went viral or rose'),
        ('collection/youtube_games', 'videos that went viral or rose'),
        ('collection/twitch_streams', 'half hours of a game''s competition')
    ) as insights (dataset, insight)

),

counted as (

    select
        channels.date,
        case categories.kind
            when 'chart' then 'collection/youtube_trending'
            else 'collection/youtube_games'
        end as dataset,
        sum(channels.breakout_count) as insight_count,
        max(channels.received_samples) as received_samples,
        max(channels.newest_observed_at) as newest_observed_at
    from channels
    inner join categories on channels.category_key = categories.category_key
    group by channels.date, categories.kind

    union all

    select
        date,
        'collection/twitch_streams' as dataset,
        sum(received_samples) as insight_count,
        max(received_samples) as received_samples,
        max(newest_observed_at) as newest_observed_at
    from competition
    group by date

),

coverage as (

    select
        days.date,
        datasets.dataset,
        datasets.insight,
        sum(counted.insight_count) as insight_count,
        max(counted.received_samples) as received_samples,
        max(counted.newest_observed_at) as newest_observed_at
    from days
    cross join datasets
    left join counted
        on
            days.date = counted.date
            and datasets.dataset = counted.dataset
    group by days.date, datasets.dataset, datasets.insight

),

final as (

    select
        date,
        dataset,
        insight,
        insight_count::bigint as insight_count,

        -- coverage, lag, as of
        {{ day_coverage_columns('coverage') }}
    from coverage

)

select * from final
