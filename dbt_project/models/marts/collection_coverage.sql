with coverage as (

    select * from {{ ref('int_collection_coverage') }}

),

final as (

    select
        dataset,
        category_key,
        region_count,
        complete_samples,
        items_expected,
        items_got,
        items_rejected,
        expected_samples,
        received_samples,
        coverage_pct,
        newest_observed_at,
        extract(epoch from {{ known_at() }} - newest_observed_at)::double precision as lag_s,
        {{ known_at() }} as as_of
    from coverage

)

select * from final
