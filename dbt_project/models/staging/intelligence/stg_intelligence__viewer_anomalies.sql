with source as (

    select * from {{ source('intelligence', 'viewer_anomalies') }}

),

renamed as (

    select
        -- ids
        category as category_key,
        stream_id,

        -- strings
        direction,

        -- numerics
        anomaly_score,

        -- timestamps
        window_start,
        crawl_at
    from source

)

select * from renamed
