-- Apart from the analyses themselves: straight from the table, so that the search ends at its
-- newest day. An analysis counts once its four hours are over. Windows are replaced whole, so that
-- the table of today says in the past as well which there were (as `newest_date` says of days).
select max(window_start) as window_start
from {{ source('intelligence', 'title_intel').include(database=false) }}
where window_start <= {{ known_at() }} - interval '4 hours'
