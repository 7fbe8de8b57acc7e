{#
Runs of workers that are over, from Dagster's tables in the same database; none where they are kept
elsewhere or not made yet. A function, because a view over tables that are not there cannot be made,
and with its owner's rights, because analysts may not read Dagster's tables. The text is Dagster's
own summary of a failed run: which steps failed.
#}
{% macro create_worker_runs() -%}
    create or replace function aggregation.worker_runs(since timestamptz)
    returns table (
        task_name text, run_at timestamptz, ended_at timestamptz, is_success boolean, error text
    )
    language plpgsql stable security definer
    set search_path = pg_catalog
    as $function$
    begin
        if to_regclass('dagster.runs') is null
            or to_regclass('dagster.run_tags') is null
            or to_regclass('dagster.event_logs') is null
        then
            return;
        end if;
        return query execute $query$
            select
                tag.value::text,
                coalesce(to_timestamp(run.start_time), run.create_timestamp at time zone 'UTC'),
                coalesce(to_timestamp(run.end_time), run.update_timestamp at time zone 'UTC'),
                run.status = 'SUCCESS',
                case when run.status = 'FAILURE' then coalesce(failure.text, 'The run failed.') end
            from dagster.runs as run
            inner join dagster.run_tags as tag on run.run_id = tag.run_id and tag.key = 'worker'
            left join lateral (
                select left(log.event::jsonb #>> '{dagster_event,message}', 500) as text
                from dagster.event_logs as log
                where log.run_id = run.run_id and log.dagster_event_type = 'PIPELINE_FAILURE'
                order by log.id desc
                limit 1
            ) as failure on run.status = 'FAILURE'
            where
                run.status in ('SUCCESS', 'FAILURE')
                and run.create_timestamp > $1 at time zone 'UTC'
        $query$ using since;
    end
    $function$;
    comment on function aggregation.worker_runs(timestamptz) is
        'Runs of workers that ended, succeeded or failed, from Dagster''s run history: what aggregation.intel_worker_state rests on. Empty where Dagster keeps its history in another database.';
    grant execute on function aggregation.worker_runs(timestamptz) to aurastream_reader
{%- endmacro %}

{# Whether a relation has a row of a moment: one look into its index for each, never all its rows. #}
{% macro is_there(relation, column, moment) -%}
    coalesce(
        (
            select true
            from {{ relation }}
            where {{ relation }}.{{ column }} = {{ moment }}
            limit 1
        ),
        false
    )
{%- endmacro %}
