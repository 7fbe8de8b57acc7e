{#
A surrogate id that is a function of the row's key: a positive bigint that stays the same when a
partition is replaced, which a sequence's value would not.
#}
{% macro stable_id(parts) -%}
    (
        ('x' || left(md5({{ parts | join(" || '|' || ") }}), 16))::bit(64)::bigint
        & 9223372036854775807
    )
{%- endmacro %}
