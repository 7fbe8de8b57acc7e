{# Fails with the rows for which the expression is not true; null counts as a failure. #}
{% test holds(model, expression) %}
    select *
    from {{ model }}
    where ({{ expression }}) is not true
{% endtest %}
