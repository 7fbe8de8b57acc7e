with videos as (

    select * from {{ ref('int_video_days') }}
    where date < {{ date_end() }}

),

coverage as (

    select * from {{ ref('int_day_coverage') }}

),

edges as (

    select *
    from (
        values
        ('<1 min', 0, 60),
        ('1-3 min', 60, 180),
        ('3-8 min', 180, 480),
        ('8-15 min', 480, 900),
        ('15-30 min', 900, 1800),
        ('>30 min', 1800, null)
    ) as edge (bucket_label, bucket_min_seconds, bucket_max_seconds)

),

categories as (

    select
        category_key,
        date,
        avg(views) as avg_views
    from videos
    group by category_key, date

),

measured as (

    select
        category_key,
        date,
        duration_bucket,
        count(*) as video_count,
        count(views) as views_known_count,
        count(engagement_rate) as engagement_known_count,
        avg(views) as avg_views,
        {{ exact_mean('engagement_rate', '1e12') }} as avg_engagement,
        sum(views) as total_views
    from videos
    where duration_bucket is not null
    group by category_key, date, duration_bucket

),

-- The best mean among the lengths with at least five videos; a tie goes to the shorter.
optimal as (

    select distinct on (category_key, date)
        category_key,
        date,
        duration_bucket
    from measured
    where views_known_count >= 5
    order by
        category_key,
        date,
        avg_views desc,
        array_position({{ duration_buckets() }}, duration_bucket)

),

final as (

    select
        -- ids
        {{ day_id('coverage', ['edges.bucket_label']) }} as id,
        coverage.category_key,
        coverage.date,

        -- the sources' columns
        edges.bucket_label,
        edges.bucket_min_seconds,
        edges.bucket_max_seconds,
        coalesce(measured.video_count, 0)::integer as video_count,
        measured.avg_views::double precision as avg_views,
        measured.avg_engagement,
        coalesce(measured.total_views, 0)::bigint as total_views,
        (measured.avg_views / nullif(categories.avg_views, 0))::double precision
            as performance_index,
        {{ end_of_day('coverage.date') }} as created_at,

        -- what the means rest on
        coalesce(measured.views_known_count, 0)::integer as views_known_count,
        coalesce(measured.engagement_known_count, 0)::integer as engagement_known_count,
        optimal.duration_bucket is not null as is_optimal,

        -- coverage, lag, as of
        {{ day_coverage_columns('coverage') }}
    from coverage
    cross join edges
    left join measured
        on
            coverage.category_key = measured.category_key
            and coverage.date = measured.date
            and edges.bucket_label = measured.duration_bucket
    left join categories
        on
            coverage.category_key = categories.category_key
            and coverage.date = categories.date
    left join optimal
        on
            coverage.category_key = optimal.category_key
            and coverage.date = optimal.date
            and edges.bucket_label = optimal.duration_bucket

)

select * from final
