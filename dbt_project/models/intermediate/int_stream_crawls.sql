with samples as (

    select * from {{ ref('int_stream_samples') }}

),

categories as (

    select * from {{ ref('stg_operations__categories') }}

),

-- Nobody streamed: that is an answer, of which no stream speaks. What once had streams and has none
-- any more, because the terms end them after a day, is no such crawl.
empty as (

    select
        crawls.category_key,
        crawls.crawl_at
    from {{ ref('stg_operations__crawls') }} as crawls
    inner join categories on crawls.category_key = categories.category_key
    where
        crawls.dataset = 'collection/twitch_streams'
        and crawls.is_complete
        and crawls.got_count = 0
        and crawls.rejected_count = 0
        and categories.twitch_game_id is not null
        and crawls.crawl_at >= {{ range_start() }}
        and crawls.crawl_at < {{ range_end() }}

),

answered as (

    select
        category_key,
        crawl_at
    from samples

    union

    select
        category_key,
        crawl_at
    from empty

),

final as (

    select
        category_key,
        (crawl_at at time zone 'UTC')::date as date,
        extract(hour from crawl_at at time zone 'UTC')::integer as hour_utc,
        crawl_at
    from answered

)

select * from final
