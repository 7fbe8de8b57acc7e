{# How well a row of a UTC day is founded, and when it could be said. #}
{% macro day_coverage_columns(coverage, expected=48, as_of=none) -%}
    {{ expected }} as expected_samples,
        coalesce({{ coverage }}.received_samples, 0)::integer as received_samples,
        least(
            100, coalesce({{ coverage }}.received_samples, 0) * 100.0 / {{ expected }}
        )::double precision as coverage_pct,
        {{ coverage }}.newest_observed_at,
        extract(
            epoch from {{ end_of_day(coverage ~ ".date") }} - {{ coverage }}.newest_observed_at
        )::double precision as lag_s,
        {{ as_of or end_of_day(coverage ~ ".date") }} as as_of
{%- endmacro %}

{# The midnight, UTC, at which a day is over. #}
{% macro end_of_day(date) -%}
    (({{ date }} + 1)::timestamp at time zone 'UTC')
{%- endmacro %}

{# The id of a row of a day: a function of its key, so that computing it again gives the same. #}
{% macro day_id(row, also=[]) -%}
    {{ stable_id(
        [row ~ ".category_key", "(" ~ row ~ ".date - '1970-01-01'::date)"] + also
    ) }}
{%- endmacro %}
