{# Fails with the rows that lack a value in any of the columns: one test instead of one each. #}
{% test never_null(model, columns) %}
    select {{ columns | join(", ") }}
    from {{ model }}
    where {% for column in columns %}{{ "or " if not loop.first }}{{ column }} is null
    {% endfor %}
{% endtest %}
