{# A day of a length that is compared: five known views, and a snapshot of its own. #}
{% macro counts_as_day() -%}
    views_known_count >= 5 and received_samples > 0
{%- endmacro %}
