with coverage as (

    select * from {{ ref('int_collection_coverage') }}

),

-- A category's videos come from its chart or from its game's searches, never from both.
final as (

    select
        category_key,
        expected_samples,
        received_samples,
        coverage_pct,
        newest_observed_at
    from coverage
    where dataset in ('collection/youtube_trending', 'collection/youtube_games')

)

select * from final
