{#
CTEs from `history` and `latest` to `kept`: the scores of some windows that were current at the
moment and were replaced later, version by version as they were replaced. `windows` are intervals
back from the newest window. In the view nothing is replaced later than now, and `kept` is empty.
#}
{% macro kept_scores(assets, windows) -%}
    ranked_versions as (

        select
            history.asset,
            history.window_start,
            history.row_key::jsonb as row_key,
            history.score_values,
            rank() over (
                partition by history.asset, history.window_start
                order by history.kept_at
            ) as version_rank
        from history
        where
            history.asset in ('{{ assets | join("', '") }}')
            and history.kept_at > {{ known_at() }}
            and (
                {% for back in windows -%}
                    {{ "or " if not loop.first -}}
                    history.window_start = (
                        select latest.window_start - interval '{{ back }}' from latest
                    )
                {% endfor %}
            )

    ),

    kept as (

        select * from ranked_versions
        where version_rank = 1

    )
{%- endmacro %}

{# A value of `kept` as the column it was. #}
{% macro kept_value(column, type) -%}
    (kept.score_values ->> '{{ column }}')::{{ type }} as {{ column }}
{%- endmacro %}
