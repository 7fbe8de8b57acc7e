-- Straight from the table, as in `stg_intelligence__latest_titles`.
select max(window_start) as window_start
from {{ source('intelligence', 'clip_video_lead_lag').include(database=false) }}
where window_start <= {{ known_at() }} - interval '4 hours'
