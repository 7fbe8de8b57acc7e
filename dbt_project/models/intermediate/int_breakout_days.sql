with scores as (

    select * from {{ ref('stg_intelligence__viral_scores') }}
    where
        window_start >= {{ range_start() }}
        and window_start < {{ range_end() }}
        and trend_class in ('VIRAL', 'RISING')

),

-- A video that was viral in twenty windows of the day broke out once.
final as (

    select
        category_key,
        (window_start at time zone 'UTC')::date as date,
        video_id,
        bool_or(trend_class = 'VIRAL') as was_viral,
        bool_or(trend_class = 'RISING') as was_rising
    from scores
    group by category_key, (window_start at time zone 'UTC')::date, video_id

)

select * from final
