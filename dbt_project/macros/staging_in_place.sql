{#
The SQL of a model whose staging models are read where it reads them. Postgres computes a CTE that
is read twice in full before any filter applies, and dbt makes a CTE of each ephemeral model: asking
about one game would then read all of them.
#}
{% macro staging_in_place(sql) -%}
    {{ return(modules.re.sub("(__dbt__cte__stg_\\w+) as \\(", "\\1 as not materialized (", sql)) }}
{%- endmacro %}

{# dbt's own, with staging in place. #}
{% macro postgres__create_view_as(relation, sql) -%}
    {{ return(dbt.default__create_view_as(relation, staging_in_place(sql))) }}
{%- endmacro %}
