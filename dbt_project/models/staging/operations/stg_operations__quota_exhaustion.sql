with source as (

    select * from {{ source('operations', 'quota_exhaustion') }}

),

renamed as (

    select
        -- ids
        platform,
        bucket,

        -- timestamps
        quota_date,
        reported_at
    from source

)

select * from renamed
