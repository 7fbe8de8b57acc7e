{#
Replace whole partitions: every row of [start, end) goes, also that of a category which is no
longer there, and every column of the new rows is written, in one transaction.

What the rows were before is kept (`keep_replaced_rows`), so that it can be asked what was known
when.

A model may return rows of partitions outside the range (a following day whose trend reads this
one); those partitions are replaced as well. The model names its partition column in
`meta.partition_by` and that column's type in `meta.partition_type`.

Rows that the platforms' terms have ended are neither written nor touched: the purge takes them, with
its proof. Nor are those that outlived all that they were made of.
#}
{% macro get_incremental_partition_replace_sql(arg_dict) %}
    {%- set target_relation = arg_dict["target_relation"] -%}
    {%- set temp_relation = arg_dict["temp_relation"] -%}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    {%- set meta = config.get("meta") -%}
    {%- set by = adapter.quote(meta["partition_by"]) -%}
    {%- if meta["partition_type"] == "date" -%}
        {%- set from_value, to_value = date_start(), date_end() -%}
    {%- else -%}
        {%- set from_value, to_value = range_start(), range_end() -%}
    {%- endif %}
    {%- set has_ended = has_ended(by) -%}
    {%- set in_range -%}
        not {{ has_ended }}
        and (
            ({{ by }} >= {{ from_value }} and {{ by }} < {{ to_value }})
            or {{ by }} in (select distinct {{ by }} from {{ temp_relation }})
        )
    {%- endset %}
    delete from {{ temp_relation }}
    where {{ has_ended }};

    {{ keep_replaced_rows(
        target_relation, temp_relation, by, in_range,
        arg_dict["dest_columns"] | map(attribute="name") | list
    ) }};

    delete from {{ target_relation }}
    where {{ in_range }};

    insert into {{ target_relation }} ({{ columns }})
    (
        select {{ columns }}
        from {{ temp_relation }}
    )
{% endmacro %}
