with source as (

    select * from {{ source('maintenance', 'retention_rules') }}

),

renamed as (

    select
        -- ids
        table_name,

        -- strings
        reason,

        -- booleans
        is_computed
    from source

)

select * from renamed
