with source as (

    select * from {{ source('intelligence', 'opportunity') }}

),

-- Opportunity is the last of the signal chain: its newest window is complete.
final as (

    select
        max(window_start) as window_start,
        -- A window that is open speaks of now, not of its end; so does the moment before the first.
        least(max(window_start) + interval '30 minutes', {{ known_at() }}) as as_of
    from source
    where window_start <= {{ open_until() }} - interval '30 minutes'

)

select * from final
