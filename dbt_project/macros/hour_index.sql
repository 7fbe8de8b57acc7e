{#
What an hour is worth against the whole, with its interval: the geometric mean of the values of
each cell over that of all of them. The spread is pooled over the cells, so that a cell of few
values is as uncertain as few values are. Sums are kept in integers of 1e9, because a float sum
depends on the order of the rows.
#}
{% macro log_sums(log_value) -%}
    count(*) as sample_count,
        sum((({{ log_value }}) * 1e9)::bigint) as log_sum,
        sum((({{ log_value }}) * ({{ log_value }}) * 1e9)::bigint) as log_square_sum
{%- endmacro %}

{#
Columns performance_index, index_low and index_high from the columns of `log_sums`; the bounds
are null below `min_sample` values, and where no cell has two values to tell a spread from.
#}
{% macro index_with_interval(keys, min_sample=5) -%}
    {%- set whole = "over (partition by " ~ keys | join(", ") ~ ")" -%}
    {%- set gain = "(log_sum / sample_count - sum(log_sum) " ~ whole
        ~ " / sum(sample_count) " ~ whole ~ ")::double precision / 1e9" -%}
    {%- set rest = "greatest(sum(log_square_sum - log_sum / 1e9 * log_sum / sample_count) "
        ~ whole ~ ", 0)::double precision / 1e9" -%}
    {%- set freedom = "nullif(sum(sample_count - 1) " ~ whole ~ ", 0)::double precision" -%}
    {%- set apart = "greatest(1.0 / sample_count - 1.0 / sum(sample_count) " ~ whole
        ~ ", 0)::double precision" -%}
    {%- set reach = z95() ~ " * sqrt(" ~ rest ~ " / " ~ freedom ~ " * " ~ apart ~ ")" -%}
    exp({{ gain }}) as performance_index,
        case
            when sample_count >= {{ min_sample }} then exp({{ gain }} - {{ reach }})
        end as index_low,
        case
            when sample_count >= {{ min_sample }} then exp({{ gain }} + {{ reach }})
        end as index_high
{%- endmacro %}

{# An hour as the sources have it, with its interval and what it rests on. #}
{% macro hour_as_json() -%}
    jsonb_build_object(
            'hour_utc', hour_utc,
            'day_of_week', day_of_week,
            'performance_index', round(performance_index::numeric, 4),
            'index_low', round(index_low::numeric, 4),
            'index_high', round(index_high::numeric, 4),
            'sample_count', sample_count
        )
{%- endmacro %}
