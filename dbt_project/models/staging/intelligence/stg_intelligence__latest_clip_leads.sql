-- Straight from the table, as in `stg_intelligence__latest_titles`.
with final as (

    select max(window_start) as window_start
    from {{ source('intelligence', 'clip_video_lead_lag').include(database=false) }}
    where window_start <= {{ known_at() }} - interval '4 hours'

)

select * from final
