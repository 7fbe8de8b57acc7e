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
