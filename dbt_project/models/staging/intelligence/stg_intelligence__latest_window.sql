-- Opportunity is the last of the signal chain: its newest window is complete. Not `max`, which the
-- planner would think through twice, day by day.
select
    newest.window_start,
    -- A window that is open speaks of now, not of its end; so does the moment before the first.
    least(newest.window_start + interval '30 minutes', {{ known_at() }}) as as_of
from (
    select
        (
            select opportunity.window_start
            from {{ source('intelligence', 'opportunity') }} as opportunity
            where opportunity.window_start <= {{ open_until() }} - interval '30 minutes'
            order by opportunity.window_start desc
            limit 1
        ) as window_start
) as newest
