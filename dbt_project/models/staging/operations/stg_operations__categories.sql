with source as (

    select * from {{ source('operations', 'categories') }}

),

renamed as (

    select
        -- ids
        category as category_key,

        -- strings
        kind,
        title,

        -- numerics
        interval_minutes,

        -- booleans
        is_enabled
    from source

)

select * from renamed
