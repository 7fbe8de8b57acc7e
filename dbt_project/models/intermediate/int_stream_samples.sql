with streams as (

    select * from {{ ref('stg_collection__twitch_streams') }}
    where
        crawl_at >= {{ range_start() }}
        and crawl_at < {{ range_end() }}
        -- The rows lie by their answer's time; no crawl answers an hour after it began.
        and observed_at >= {{ range_start() }}
        and observed_at < {{ range_end() }} + interval '1 hour'

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

-- A crawl that got only a part of a game's streams is no sample of the game.
partial_crawls as (

    select
        category_key,
        crawl_at
    from {{ ref('stg_operations__crawls') }}
    where
        dataset = 'collection/twitch_streams'
        and not is_complete
        and crawl_at >= {{ range_start() }}
        and crawl_at < {{ range_end() }}

),

-- A stream that was answered twice in a crawl counts once, with its larger number.
once as (

    select distinct on (twitch_game_id, crawl_at, stream_id)
        twitch_game_id,
        crawl_at,
        stream_id,
        language,
        viewer_count
    from streams
    order by twitch_game_id, crawl_at, stream_id, viewer_count desc, language desc

),

final as (

    select
        categories.category_key,
        (once.crawl_at at time zone 'UTC')::date as date,
        extract(hour from once.crawl_at at time zone 'UTC')::integer as hour_utc,
        once.crawl_at,
        once.stream_id,
        once.language,
        once.viewer_count
    from once
    inner join categories on once.twitch_game_id = categories.twitch_game_id
    left join partial_crawls
        on
            categories.category_key = partial_crawls.category_key
            and once.crawl_at = partial_crawls.crawl_at
    where partial_crawls.category_key is null

)

select * from final
