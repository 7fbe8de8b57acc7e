with ledger as (

    select
        *,
        coalesce(units_settled, units_reserved) as units_used
    from {{ ref('stg_operations__quota_ledger') }}

),

limits as (

    {{ daily_quota_limits() }}

),

running as (

    select
        *,
        sum(units_used) over (
            partition by platform, bucket, quota_date
            order by reserved_at, reservation_id
        ) as units_so_far
    from ledger

),

final as (

    select
        -- ids
        {{ stable_id(['running.reservation_id::text']) }} as id,

        -- the sources' columns
        running.platform,
        running.endpoint as operation,
        running.units_used,
        -- Unknown where the bucket has no limit of a day: greatest() alone would say 0.
        case
            when limits.units is not null then greatest(limits.units - running.units_so_far, 0)
        end::integer as units_remaining,
        null::text as category_key,
        jsonb_build_object(
            'bucket', running.bucket,
            'dataset', running.purpose,
            'quota_date', running.quota_date,
            'units_reserved', running.units_reserved,
            'is_settled', running.settled_at is not null
        ) as metadata,
        running.reserved_at as created_at,

        -- coverage, lag, as of
        1 as expected_samples,
        (running.settled_at is not null)::integer as received_samples,
        case when running.settled_at is null then 0 else 100 end::double precision as coverage_pct,
        coalesce(running.settled_at, running.reserved_at) as newest_observed_at,
        extract(epoch from running.settled_at - running.reserved_at)::double precision as lag_s,
        coalesce(running.settled_at, now()) as as_of
    from running
    left join limits on running.bucket = limits.bucket

)

select * from final
