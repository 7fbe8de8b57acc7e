{# The first value of a group in an order, among the rows that meet a condition; null without any. #}
{% macro first_by(value, order_by, condition="true") -%}
    (array_agg({{ value }} order by {{ order_by }}) filter (where {{ condition }}))[1]
{%- endmacro %}
