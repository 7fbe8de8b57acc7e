with source as (

    select * from {{ source('intelligence', 'title_intel') }}

),

-- Apart from the analyses themselves: straight from the table, so that the search ends at its
-- newest day. An analysis counts once its four hours are over.
final as (

    select max(window_start) as window_start
    from source
    where window_start <= {{ known_at() }} - interval '4 hours'

)

select * from final
