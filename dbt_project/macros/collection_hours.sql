{#
One row per crawl of a dataset: a crawl brings several categories; it succeeded when one of them came,
and says why one did not. `crawls` has rows of `stg_operations__crawls` with their `hour_start`.
#}
{% macro crawl_runs(crawls) -%}
    select
        hour_start,
        dataset,
        crawl_at as run_at,
        sum(got_count) as got_count,
        max(observed_at) as newest_observed_at,
        coalesce(max(observed_at), max(crawl_at)) as ended_at,
        bool_or(got_count > 0 or is_complete) as is_success,
        coalesce(max(reason) filter (where not is_complete), '') as error
    from {{ crawls }}
    group by hour_start, dataset, crawl_at
{%- endmacro %}

{# The midnight, UTC, with which the 30 days begin that end with the current one. #}
{% macro first_day_of_30() -%}
    (date_trunc('day', {{ known_at() }}, 'UTC') - interval '29 days')
{%- endmacro %}

{#
CTEs `rolled_hours`, the hours of `intel_collection_hours` since a moment as far as they say all that
was known, and `open_hours`, those that have to be counted call by call and crawl by crawl: the
current one, one that was never rolled up, one with a call that was not settled at the moment.
#}
{% macro collection_hours(since) -%}
    known_hours as materialized (

        select * from {{ ref('intel_collection_hours') }}
        where
            hour_start >= {{ since }}
            and as_of <= {{ known_at() }}

    ),

    whole_hours as materialized (

        select hour_start
        from known_hours
        group by hour_start
        having
            bool_and(
                call_count = settled_count
                and coalesce(newest_settled_at, as_of) <= {{ known_at() }}
            )

    ),

    rolled_hours as (

        select known_hours.*
        from known_hours
        inner join whole_hours on known_hours.hour_start = whole_hours.hour_start

    ),

    -- Mostly one. Through an array, of which Postgres expects ten: it would expect half of all hours,
    -- and make room for half a million calls before it found a hundred.
    open_hours as materialized (

        select
            missing.at as starts_at,
            missing.at + interval '1 hour' as ends_at
        from
            unnest(array(
                select hours.at
                from
                    generate_series(
                        date_trunc('hour', {{ since }}, 'UTC'), {{ known_at() }}, interval '1 hour'
                    ) as hours (at)
                where
                    hours.at not in (select whole_hours.hour_start from whole_hours)
                    -- Hours to the end of time would never be counted.
                    and isfinite({{ known_at() }})
            )) as missing (at)

    )
{%- endmacro %}

{#
The rows of the open hours of a model. `offset 0` makes Postgres read hour by hour through the index on
the time, however many hours it expects; a plain join would read everything that there is.
#}
{% macro of_open_hours(model, at, alias) -%}
    open_hours
    cross join
        lateral (
            select *
            from {{ ref(model) }} as within
            where
                within.{{ at }} >= open_hours.starts_at
                and within.{{ at }} < open_hours.ends_at
            offset 0
        ) as {{ alias }}
{%- endmacro %}

{#
Rows of the crawls whose calls are on record: a history that was loaded, or restored, has rows of crawls
that this ledger never paid for. A crawl reserves its calls when it begins.
#}
{% macro paid_rows(rows, crawl_at, first_call_at) -%}
    sum({{ rows }}) filter (where {{ first_call_at }} <= {{ crawl_at }} + interval '1 minute')
{%- endmacro %}
