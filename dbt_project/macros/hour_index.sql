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
are null below `min_sample` values, and where no cell has two values to tell a spread from, and all
are null for a cell without values. `of` is a prefix of the columns of `log_sums` and of the three.
#}
{% macro index_with_interval(keys, min_sample=5, of="") -%}
    {%- set n, log_sum, log_square_sum = of ~ "sample_count", of ~ "log_sum", of ~ "log_square_sum" -%}
    {%- set whole = "over (partition by " ~ keys | join(", ") ~ ")" -%}
    {%- set mean = log_sum ~ " / nullif(" ~ n ~ ", 0)" -%}
    {%- set gain = "(" ~ mean ~ " - sum(" ~ log_sum ~ ") " ~ whole
        ~ " / sum(" ~ n ~ ") " ~ whole ~ ")::double precision / 1e9" -%}
    {%- set rest = "greatest(sum(" ~ log_square_sum ~ " - " ~ log_sum ~ " / 1e9 * " ~ mean ~ ") "
        ~ whole ~ ", 0)::double precision / 1e9" -%}
    {%- set freedom = "nullif(sum(greatest(" ~ n ~ " - 1, 0)) " ~ whole ~ ", 0)::double precision" -%}
    {%- set apart = "greatest(1.0 / nullif(" ~ n ~ ", 0) - 1.0 / sum(" ~ n ~ ") " ~ whole
        ~ ", 0)::double precision" -%}
    {%- set reach = z95() ~ " * sqrt(" ~ rest ~ " / " ~ freedom ~ " * " ~ apart ~ ")" -%}
    exp({{ gain }}) as {{ of }}performance_index,
        case
            when {{ n }} >= {{ min_sample }} then exp({{ gain }} - {{ reach }})
        end as {{ of }}index_low,
        case
            when {{ n }} >= {{ min_sample }} then exp({{ gain }} + {{ reach }})
        end as {{ of }}index_high
{%- endmacro %}

{#
The hour of the week, 0 to 167 from Monday's first on, of a time without zone. In whole numbers, and
not by `extract`, whose decimals cost more than all the rest of reading an hour.
#}
{% macro hour_of_week(local_time) -%}
    ({{ local_time }}::date - date '2001-01-01') % 7 * 24
        + date_part('hour', {{ local_time }})::integer
{%- endmacro %}

{#
CTEs from `cells` (`hour_of_week` with the sums of `log_sums`) to `rated`: all 168 hours of each
key, and beside an hour's own index the best estimate of it. Few weeks say little about an hour of
the week, so until it has an interval of its own the estimate is that of its hour of the day, over
all days together; `basis` says which. `also` are columns of the cells to keep.

Each CTE is read once, so that who asks about one game does not wait for all of them.
#}
{% macro hours_of_the_week(keys, min_sample=5, also=[]) -%}
    {%- set named = keys | join(", ") -%}
    {%- set kept = ["sample_count", "log_sum", "log_square_sum"] + also -%}
    series as (

        select
            {{ named }},
            {% for column in kept -%}
                array_agg({{ column }}) as {{ column }}s,
            {% endfor -%}
            array_agg(hour_of_week) as hours
        from cells
        group by {{ named }}

    ),

    whole_week as (

        select
            {% for key in keys -%}
                series.{{ key }},
            {% endfor -%}
            slot.number / 24 as day_of_week,
            slot.number % 24 as hour,
            {% for column in also -%}
                known.{{ column }},
            {% endfor -%}
            coalesce(known.sample_count, 0) as sample_count,
            coalesce(known.log_sum, 0) as log_sum,
            coalesce(known.log_square_sum, 0) as log_square_sum
        from series
        cross join generate_series(0, 167) as slot (number)
        left join lateral unnest(
            series.hours
            {%- for column in kept %}, series.{{ column }}s{% endfor %}
        ) as known (slot {%- for column in kept %}, {{ column }}{% endfor %})
            on slot.number = known.slot

    ),

    with_days as (

        select
            *,
            sum(sample_count) over (partition by {{ named }}, hour) as day_sample_count,
            sum(log_sum) over (partition by {{ named }}, hour) as day_log_sum,
            sum(log_square_sum) over (partition by {{ named }}, hour) as day_log_square_sum
        from whole_week

    ),

    indexed as (

        select
            *,
            {{ index_with_interval(keys, min_sample) }},
            -- Each day of the week holds each hour of the day once.
            {{ index_with_interval(keys + ["day_of_week"], min_sample, of="day_") }}
        from with_days

    ),

    rated as (

        select
            *,
            case
                when index_low is not null then 'HOUR_OF_WEEK'
                when day_index_low is not null then 'HOUR_OF_DAY'
                else 'NONE'
            end as basis,
            case
                when index_low is not null then performance_index
                when day_index_low is not null then day_performance_index
            end as estimate,
            coalesce(index_low, day_index_low) as estimate_low,
            coalesce(index_high, day_index_high) as estimate_high
        from indexed

    )
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
