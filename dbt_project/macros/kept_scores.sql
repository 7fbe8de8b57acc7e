{#
CTEs from `history` (not materialized) and `newest` to `kept`: the scores of some windows that were
current at the moment and were replaced later, as they were when they were replaced first.
`windows` are intervals back from the newest window. In the view nothing is replaced later than now,
and `kept` is empty.

Each is looked up in an index, and a category's rows alone are read for whoever asks about one. The
first of them by `limit 1`: with `min` the planner now and then reads all that was replaced.
#}
{% macro kept_scores(assets, windows, newest='latest') -%}
    kept_windows as (

        select * from (
            select
                wanted.asset,
                wanted.window_start,
                (
                    select history.kept_at
                    from history
                    where
                        history.asset = wanted.asset
                        and history.window_start = wanted.window_start
                        and history.kept_at > {{ known_at() }}
                    order by history.kept_at
                    limit 1
                ) as kept_at
            from (
                select
                    assets.name as asset,
                    newest.window_start - back.length as window_start
                from {{ newest }} as newest
                cross join unnest(array['{{ assets | join("', '") }}']) as assets (name)
                cross join
                    unnest(array['{{ windows | join("', '") }}']::interval []) as back (length)
            ) as wanted
        ) as found
        where kept_at is not null

    ),

    kept as not materialized (

        select
            history.asset,
            history.window_start,
            history.row_key::jsonb as row_key,
            {{ category_of_kept('history') }} as category_key,
            history.score_values
        from kept_windows
        inner join history
            on
                kept_windows.asset = history.asset
                and kept_windows.window_start = history.window_start
                and kept_windows.kept_at = history.kept_at
        -- Where a version had found nothing, that is what is kept: JSON's null.
        where jsonb_typeof(history.score_values) = 'object'

    )
{%- endmacro %}

{# A value of `kept` as the column it was. #}
{% macro kept_value(column, type) -%}
    (kept.score_values ->> '{{ column }}')::{{ type }} as {{ column }}
{%- endmacro %}

{# The category of a row of `maintenance.score_history`, which has an index on these very words. #}
{% macro category_of_kept(row) -%}
    coalesce({{ row }}.row_key::jsonb ->> 'category', {{ row }}.row_key::jsonb ->> 'category_key')
{%- endmacro %}
