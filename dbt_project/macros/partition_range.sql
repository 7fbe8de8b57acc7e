{# The range [start, end) whose partitions a run replaces, as UTC moments. #}
{% macro range_start() -%}
    '{{ var("start") }}'::timestamptz
{%- endmacro %}

{% macro range_end() -%}
    '{{ var("end") }}'::timestamptz
{%- endmacro %}

{# The same as UTC dates. #}
{% macro date_start() -%}
    ({{ range_start() }} at time zone 'UTC')::date
{%- endmacro %}

{% macro date_end() -%}
    ({{ range_end() }} at time zone 'UTC')::date
{%- endmacro %}

{# Whether the range has all of a UTC day, not only some of its hours. #}
{% macro is_whole_day(date) -%}
    {{ range_start() }} <= ({{ date }}::timestamp at time zone 'UTC')
    and {{ range_end() }} >= {{ end_of_day(date) }}
{%- endmacro %}

{#
Whether a partition is not to be made again, because the terms have ended it or nothing is left of what
it was made of: the moment before which that is so comes with the range (`ended`), for each model that
has one.
#}
{% macro has_ended(partition_column) -%}
    {%- set moment = var("ended", {}).get(model["name"]) -%}
    {%- if moment is none -%}
        false
    {%- elif config.get("meta")["partition_type"] == "date" -%}
        ({{ partition_column }}::timestamp at time zone 'UTC' < '{{ moment }}'::timestamptz)
    {%- else -%}
        ({{ partition_column }} < '{{ moment }}'::timestamptz)
    {%- endif -%}
{%- endmacro %}
