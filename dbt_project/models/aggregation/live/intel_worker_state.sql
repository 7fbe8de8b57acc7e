with crawls as (

    select * from {{ ref('stg_operations__crawls') }}
    where crawl_at > now() - interval '7 days'

),

opportunity as (

    select * from {{ ref('stg_intelligence__opportunity') }}
    where window_start > now() - interval '7 days'

),

hourly as (

    select * from {{ ref('intel_hourly_metrics') }}
    where hour_start > now() - interval '7 days'

),

daily as (

    select * from {{ ref('intel_daily_metrics') }}
    where date > (now() at time zone 'UTC')::date - 32

),

-- Workers whose work leaves a trace in the record, with what is expected of them in a day.
workers as (

    select *
    from (
        values
        ('youtube_worker_trending', 'collection/youtube_trending', 48),
        ('youtube_worker_games', 'collection/youtube_games', null),
        ('twitch_streams_worker', 'collection/twitch_streams', 96),
        ('clip_radar_worker', 'collection/clip_radar', 288),
        ('creator_intel_worker', 'intelligence/opportunity', 48),
        ('intel_aggregation_hourly', 'aggregation/intel_hourly_metrics', 24),
        ('intel_aggregation_daily', 'aggregation/intel_daily_metrics', 1)
    ) as worker (task_name, dataset, runs_per_day)

),

-- A crawl brings several categories; it succeeded when one of them came, and says why one did not.
runs as (

    select
        dataset,
        crawl_at as run_at,
        coalesce(max(observed_at), max(crawl_at)) as ended_at,
        bool_or(got_count > 0 or is_complete) as is_success,
        max(reason) filter (where not is_complete) as error
    from crawls
    group by dataset, crawl_at

    union all

    select distinct
        'intelligence/opportunity' as dataset,
        window_start as run_at,
        -- The window that is still open has been scored, but not at its end.
        least(as_of, now()) as ended_at,
        true as is_success,
        null as error
    from opportunity

    union all

    select distinct
        'aggregation/intel_hourly_metrics' as dataset,
        hour_start as run_at,
        as_of as ended_at,
        true as is_success,
        null as error
    from hourly

    union all

    select distinct
        'aggregation/intel_daily_metrics' as dataset,
        date::timestamp at time zone 'UTC' as run_at,
        as_of as ended_at,
        true as is_success,
        null as error
    from daily

),

successes as (

    select
        dataset,
        max(run_at) as run_at
    from runs
    where is_success
    group by dataset

),

states as (

    select
        runs.dataset,
        max(runs.run_at) as last_run,
        max(runs.run_at) filter (where runs.is_success) as last_success,
        {{ first_by('runs.error', 'runs.run_at desc', "runs.error <> ''") }} as last_error,
        count(*) filter (where successes.run_at is null or runs.run_at > successes.run_at)
            as consecutive_failures,
        count(*) filter (where runs.ended_at > now() - interval '24 hours' and runs.is_success)
            as runs_24h,
        max(runs.ended_at) as newest_observed_at
    from runs
    left join successes on runs.dataset = successes.dataset
    group by runs.dataset

),

final as (

    select
        -- ids
        (row_number() over (order by workers.task_name))::integer as id,

        -- the sources' columns
        workers.task_name,
        states.last_run,
        states.last_success,
        states.last_error,
        coalesce(states.consecutive_failures, 0)::integer as consecutive_failures,
        jsonb_build_object('dataset', workers.dataset) as metadata,
        coalesce(states.newest_observed_at, now()) as updated_at,

        -- coverage, lag, as of
        workers.runs_per_day as expected_samples,
        coalesce(states.runs_24h, 0)::integer as received_samples,
        least(100, coalesce(states.runs_24h, 0) * 100.0 / workers.runs_per_day)::double precision
            as coverage_pct,
        states.newest_observed_at,
        extract(epoch from now() - states.newest_observed_at)::double precision as lag_s,
        now() as as_of
    from workers
    left join states on workers.dataset = states.dataset

)

select * from final
