-- Not materialized: the ledger keeps a month, and each question reads a day or less of it. What a
-- day back was reserved is at most two Pacific dates old, also where the day between has 23 hours.
with ledger as not materialized (

    select
        platform,
        bucket,
        quota_date,
        purpose,
        units_reserved,
        reserved_at,
        case when settled_at <= {{ known_at() }} then units_settled end as units_settled,
        case when settled_at <= {{ known_at() }} then settled_at end as settled_at
    from {{ ref('stg_operations__quota_ledger') }}
    where
        reserved_at <= {{ known_at() }}
        and quota_date >= ({{ known_at() }} at time zone 'America/Los_Angeles')::date - 2

),

limits as (

    {{ daily_quota_limits() }}

),

exhaustion as (

    select * from {{ ref('stg_operations__quota_exhaustion') }}
    where reported_at <= {{ known_at() }}

),

-- The one Pacific date of the platform: quota days begin at midnight in Los Angeles, which is 23,
-- 24 or 25 hours after the last one.
quota_day as (

    select
        ({{ known_at() }} at time zone 'America/Los_Angeles')::date as quota_date,
        (date_trunc('day', {{ known_at() }} at time zone 'America/Los_Angeles') + interval '1 day')
        at time zone 'America/Los_Angeles' as resets_at

),

purposes as (

    select
        ledger.platform,
        ledger.bucket,
        ledger.purpose,
        sum(coalesce(ledger.units_settled, ledger.units_reserved)) as units,
        sum(ledger.units_reserved) filter (where ledger.settled_at is null) as open_units,
        count(*) as reservations,
        count(ledger.settled_at) as settled,
        max(greatest(ledger.reserved_at, ledger.settled_at)) as newest_observed_at
    from ledger
    where ledger.quota_date = (select quota_day.quota_date from quota_day)
    group by ledger.platform, ledger.bucket, ledger.purpose

),

-- The pace of the last six hours, across the last reset, from the first use in them; at least an
-- hour, so that a burst is not taken for a habit. As aurastream/core/quota.py has it.
pace as (

    select
        platform,
        bucket,
        sum(coalesce(units_settled, units_reserved))
        / greatest(extract(epoch from {{ known_at() }} - min(reserved_at)) / 3600, 1)
            as units_per_hour
    from ledger
    where reserved_at > {{ known_at() }} - interval '6 hours'
    group by platform, bucket

),

-- What we keep below a limit of our own is used in passes, once a day: the last day tells.
day_before as (

    select
        platform,
        bucket,
        sum(coalesce(units_settled, units_reserved)) as units
    from ledger
    where bucket = 'youtube.search' and reserved_at > {{ known_at() }} - interval '24 hours'
    group by platform, bucket

),

buckets as (

    select
        platform,
        bucket,
        sum(units) as used_units,
        coalesce(sum(open_units), 0) as open_units,
        jsonb_object_agg(purpose, units) as units_by_purpose,
        sum(reservations) as expected_samples,
        sum(settled) as received_samples,
        max(newest_observed_at) as newest_observed_at
    from purposes
    group by platform, bucket

),

final as (

    select
        buckets.platform,
        buckets.bucket,
        quota_day.quota_date,
        buckets.used_units::bigint as used_units,
        buckets.open_units::bigint as open_units,
        limits.units::bigint as limit_units,
        -- A bucket without a daily limit has no remainder: greatest() alone would say 0.
        case
            when exhaustion.reported_at is not null then 0
            when limits.units is not null then greatest(limits.units - buckets.used_units, 0)
        end::bigint as remaining_units,
        case
            when day_before.units is not null
                then greatest(
                    buckets.used_units,
                    least({{ var('searches_per_day') }}, day_before.units)
                )
            else
                buckets.used_units
                + coalesce(pace.units_per_hour, 0)
                * extract(epoch from quota_day.resets_at - {{ known_at() }}) / 3600
        end::double precision as forecast_units,
        exhaustion.reported_at is not null as is_exhausted,
        buckets.units_by_purpose,
        quota_day.resets_at,
        buckets.expected_samples::integer as expected_samples,
        buckets.received_samples::integer as received_samples,
        (buckets.received_samples * 100.0 / buckets.expected_samples)::double precision
            as coverage_pct,
        buckets.newest_observed_at,
        extract(epoch from {{ known_at() }} - buckets.newest_observed_at)::double precision
            as lag_s,
        {{ known_at() }} as as_of
    from buckets
    cross join quota_day
    left join limits on buckets.bucket = limits.bucket
    left join pace
        on buckets.platform = pace.platform and buckets.bucket = pace.bucket
    left join day_before
        on buckets.platform = day_before.platform and buckets.bucket = day_before.bucket
    left join exhaustion
        on
            buckets.platform = exhaustion.platform
            and buckets.bucket = exhaustion.bucket
            and quota_day.quota_date = exhaustion.quota_date

)

select * from final
