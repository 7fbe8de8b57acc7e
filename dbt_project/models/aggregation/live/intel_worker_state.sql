{{ config(pre_hook='{{ create_worker_runs() }}') }}

with {{ collection_hours("(now() - interval '7 days')") }},

crawls as (

    select
        crawls.*,
        date_trunc('hour', crawls.crawl_at, 'UTC') as hour_start
    from {{ of_open_hours('stg_operations__crawls', 'crawl_at', 'crawls') }}
    where crawls.crawl_at > now() - interval '7 days'

),

crawl_runs as (

    {{ crawl_runs('crawls') }}

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

-- The fourteen workers, with what is expected of them in a day and the table in which their work
-- leaves a trace. Those that have no job yet have a row that says so.
workers as (

    select *
    from (
        values
        ('youtube_worker_trending', 'collection/youtube_trending', 48, true),
        ('youtube_worker_games', 'collection/youtube_games', null, true),
        ('twitch_streams_worker', 'collection/twitch_streams', 96, true),
        ('clip_radar_worker', 'collection/clip_radar', 288, true),
        ('creator_intel_worker', 'intelligence/opportunity', 48, true),
        ('thumbnail_intel_worker', null, 6, true),
        ('intel_aggregation_hourly', 'aggregation/intel_hourly_metrics', 24, true),
        ('intel_aggregation_daily', 'aggregation/intel_daily_metrics', 1, true),
        ('playbook_worker', null, null, false),
        ('analytics_flush_worker', null, null, false),
        ('coach_cleanup_worker', null, null, false),
        ('clip_radar_recap_worker', null, null, false),
        ('generation_worker', null, null, false),
        ('twitch_worker', null, null, false)
    ) as worker (task_name, dataset, runs_per_day, is_built)

),

-- Runs that are over, from Dagster's own tables.
dagster_runs as (

    select * from aggregation.worker_runs(now() - interval '7 days')

),

-- A window, an hour or a day is there because it was computed: what failed left no trace.
traces as (

    select
        dataset,
        run_at,
        ended_at,
        is_success,
        error
    from crawl_runs

    union all

    select
        rolled_hours.dataset,
        run.run_at,
        run.ended_at,
        run.is_success,
        run.error
    from rolled_hours
    cross join
        unnest(
            rolled_hours.crawl_at_list,
            rolled_hours.ended_at_list,
            rolled_hours.is_success_list,
            rolled_hours.error_list
        ) as run (run_at, ended_at, is_success, error)

    union all

    -- One look for each of them, instead of all rows that they have.
    select
        'intelligence/opportunity' as dataset,
        half_hours.at as run_at,
        -- The window that is still open has been scored, but not at its end.
        least(half_hours.at + interval '30 minutes', now()) as ended_at,
        true as is_success,
        null as error
    from
        generate_series(
            date_trunc('day', now(), 'UTC') - interval '7 days',
            now() + interval '1 hour',
            interval '30 minutes'
        ) as half_hours (at)
    where {{ is_there('opportunity', 'window_start', 'half_hours.at') }}

    union all

    select
        'aggregation/intel_hourly_metrics' as dataset,
        hours.at as run_at,
        hours.at + interval '1 hour' as ended_at,
        true as is_success,
        null as error
    from
        generate_series(
            date_trunc('day', now(), 'UTC') - interval '7 days', now(), interval '1 hour'
        ) as hours (at)
    where {{ is_there('hourly', 'hour_start', 'hours.at') }}

    union all

    select
        'aggregation/intel_daily_metrics' as dataset,
        days.at as run_at,
        days.at + interval '1 day' as ended_at,
        true as is_success,
        null as error
    from
        generate_series(
            date_trunc('day', now(), 'UTC') - interval '32 days', now(), interval '1 day'
        ) as days (at)
    where {{ is_there('daily', 'date', "(days.at at time zone 'UTC')::date") }}

),

-- Dagster knows of every run; the record says something where Dagster's tables are elsewhere.
runs as (

    select
        task_name,
        run_at,
        ended_at,
        is_success,
        error,
        'dagster' as judged_by
    from dagster_runs

    union all

    select
        workers.task_name,
        traces.run_at,
        traces.ended_at,
        traces.is_success,
        traces.error,
        'record' as judged_by
    from traces
    inner join workers on traces.dataset = workers.dataset
    where workers.task_name not in (select dagster_runs.task_name from dagster_runs)

),

successes as (

    select
        task_name,
        max(run_at) as run_at
    from runs
    where is_success
    group by task_name

),

states as (

    select
        runs.task_name,
        max(runs.judged_by) as judged_by,
        max(runs.run_at) as last_run,
        max(runs.run_at) filter (where runs.is_success) as last_success,
        {{ first_by('runs.error', 'runs.run_at desc', "runs.error <> ''") }} as last_error,
        count(*) filter (
            where
            not runs.is_success
            and (successes.run_at is null or runs.run_at > successes.run_at)
        ) as consecutive_failures,
        count(*) filter (where runs.ended_at > now() - interval '24 hours' and runs.is_success)
            as runs_24h,
        max(runs.ended_at) as newest_observed_at
    from runs
    left join successes on runs.task_name = successes.task_name
    group by runs.task_name

),

received as (

    select
        dataset,
        count(*) filter (where ended_at > now() - interval '24 hours' and is_success) as runs_24h,
        max(ended_at) as newest_observed_at
    from traces
    group by dataset

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
        jsonb_build_object(
            'dataset', workers.dataset,
            'is_built', workers.is_built,
            'judged_by', states.judged_by
        ) as metadata,
        coalesce(states.newest_observed_at, now()) as updated_at,

        -- coverage, lag, as of
        workers.runs_per_day as expected_samples,
        coalesce(received.runs_24h, states.runs_24h, 0)::integer as received_samples,
        -- Unknown where nothing is expected: least() alone would say 100.
        case
            when workers.runs_per_day is not null
                then least(
                    100,
                    coalesce(received.runs_24h, states.runs_24h, 0) * 100.0 / workers.runs_per_day
                )
        end::double precision as coverage_pct,
        coalesce(received.newest_observed_at, states.newest_observed_at) as newest_observed_at,
        extract(
            epoch from now() - coalesce(received.newest_observed_at, states.newest_observed_at)
        )::double precision as lag_s,
        now() as as_of
    from workers
    left join states on workers.task_name = states.task_name
    left join received on workers.dataset = received.dataset

)

select * from final
