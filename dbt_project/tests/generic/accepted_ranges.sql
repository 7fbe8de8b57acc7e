{#
Fails with the rows that leave a range: `ranges` maps a column to [lowest, highest], either of
which may be null for open. A null value is in range; whether it may be null is another question.
#}
{% test accepted_ranges(model, ranges) %}
    select {{ ranges.keys() | join(", ") }}
    from {{ model }}
    where false
    {% for column, bounds in ranges.items() -%}
        {% if bounds[0] is not none %}or {{ column }} < {{ bounds[0] }}
        {% endif %}
        {%- if bounds[1] is not none %}or {{ column }} > {{ bounds[1] }}
        {% endif %}
    {%- endfor %}
{% endtest %}
