{#
A CTE of the days of categories of which the rollup's own rows have more crawls than are left to
compute them from: the terms end streams after a day, and a day may be rolled up again later. What
was made of them once is kept then. `received` has the crawls, or the windows with one, that are left,
by category and day.
#}
{% macro days_with_more(name, column, received, received_column) -%}
    {{ name }} as (

        select
            there.category_key,
            there.date,
            max(there.{{ column }}) as crawl_count
        from {{ this }} as there
        left join {{ received }} as answers_left
            on
                there.category_key = answers_left.category_key
                and there.date = answers_left.date
        where
            there.date >= {{ date_start() }}
            and there.date < {{ date_end() }}
        group by there.category_key, there.date
        having max(there.{{ column }}) > coalesce(max(answers_left.{{ received_column }}), 0)

    )
{%- endmacro %}
