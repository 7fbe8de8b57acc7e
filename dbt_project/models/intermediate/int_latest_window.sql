with opportunity as (

    select * from {{ ref('stg_intelligence__opportunity') }}

),

final as (

    select
        max(window_start) as window_start,
        max(window_start) + interval '30 minutes' as as_of
    from opportunity

)

select * from final
