{#
The mean of a float column, computed in integers of 1/scale: a float sum depends on the order in
which the rows come, and a partition that is computed again must give the same bits.
#}
{% macro exact_mean(expression, scale="1e6") -%}
    (avg((({{ expression }}) * {{ scale }})::bigint) / {{ scale }}::numeric)::double precision
{%- endmacro %}

{# Likewise how far the values of a sample lie apart, and their sum. #}
{% macro exact_deviation(expression, scale="1e6") -%}
    (stddev_samp((({{ expression }}) * {{ scale }})::bigint) / {{ scale }}::numeric)::double precision
{%- endmacro %}

{% macro exact_sum(expression, scale="1e6") -%}
    (sum((({{ expression }}) * {{ scale }})::bigint) / {{ scale }}::numeric)::double precision
{%- endmacro %}

{# What changed since a previous value, in percent; null when there is nothing to compare with. #}
{% macro percent_change(now, before) -%}
    (({{ now }}) - ({{ before }})) / nullif({{ before }}, 0) * 100
{%- endmacro %}
