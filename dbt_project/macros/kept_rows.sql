{#
What a partition's rows were before they were replaced by others, in `maintenance.score_history`:
run before the rows go, in their transaction. A row that was not there is kept as JSON's null. Kept
is only what could have been read: rows that differ, of partitions that were there and were over.
#}
{% macro keep_replaced_rows(target_relation, temp_relation, by, in_range, columns) -%}
    {%- set key = grain_within_partition() %}
    insert into maintenance.score_history (
        window_start, asset, code_version, row_key, values, kept_at
    )
    select
        coalesce({{ moment_of("before") }}, {{ moment_of("after") }}),
        '{{ asset_of(target_relation) }}',
        'until ' || to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        coalesce(
            case when before.as_of is not null then {{ row_key("before", key) }} end,
            {{ row_key("after", key) }}
        ),
        coalesce(to_jsonb(before), 'null'),
        now()
    from (
        select * from {{ target_relation }} where {{ in_range }}
    ) as before
    full join {{ temp_relation }} as after
        on before.{{ by }} = after.{{ by }}
        {%- for column in key %} and before.{{ column }} = after.{{ column }}{% endfor %}
    where
        -- Asked once: a range that never had a row has nothing to keep.
        (
            exists (select 1 from {{ target_relation }} where {{ in_range }})
            or exists (
                select 1 from maintenance.score_history as kept
                where
                    kept.asset = '{{ asset_of(target_relation) }}'
                    and kept.window_start >= {{ range_start() }}
            )
        )
        and coalesce(before.as_of, after.as_of) <= now()
        and (
            after.as_of is null
            or (
                before.as_of is null
                and (
                    after.{{ by }} in (
                        select there.{{ by }} from {{ target_relation }} as there
                        where ({{ in_range }}) and there.as_of <= now()
                    )
                    -- Or were there, and all went.
                    or {{ moment_of("after") }} in (
                        select kept.window_start from maintenance.score_history as kept
                        where
                            kept.asset = '{{ asset_of(target_relation) }}'
                            and kept.window_start >= {{ range_start() }}
                    )
                )
            )
            or (
                before.as_of is not null
                and row({% for column in columns %}before.{{ adapter.quote(column) }}
                    {{- ", " if not loop.last }}{% endfor %})
                is distinct from
                row({% for column in columns %}after.{{ adapter.quote(column) }}
                    {{- ", " if not loop.last }}{% endfor %})
            )
        )
    on conflict do nothing
{%- endmacro %}

{#
`aggregation.<name>_as_of(timestamptz)`: the rows of a rollup as they were at a moment, of the hours
and days that were over then. In the place of what was replaced since stands what was there first
after the moment.
#}
{% macro create_rollup_as_of() -%}
    {%- if execute and model["config"]["materialized"] == "incremental" -%}
    {%- set name = this.schema ~ "." ~ this.identifier -%}
    create or replace function {{ name }}_as_of(known_at timestamptz)
    returns setof {{ name }}
    language sql stable
    as $as_of$
        select there.*
        from {{ name }} as there
        where
            there.as_of <= $1
            and (
                not {{ was_replaced_since(this) }}
                or not exists (
                    select 1
                    from maintenance.score_history as kept
                    where
                        kept.asset = '{{ asset_of(this) }}'
                        and kept.kept_at > $1
                        and kept.window_start = {{ moment_of("there") }}
                        and kept.row_key = {{ row_key("there", grain_within_partition()) }}
                        {%- if "category_key" in grain_within_partition() %}
                        and {{ category_of_kept("kept") }} = there.category_key
                        {%- endif %}
                )
            )
        union all
        select
            {%- for column in adapter.get_columns_in_relation(this) %}
            {{ column_of_kept(column) }}{{ "," if not loop.last }}
            {%- endfor %}
        from (
            select distinct on (kept.window_start, {{ category_of_kept("kept") }}, kept.row_key)
                kept.window_start,
                {{ category_of_kept("kept") }} as category_key,
                kept.row_key,
                kept.values
            from maintenance.score_history as kept
            where kept.asset = '{{ asset_of(this) }}' and kept.kept_at > $1
            order by
                kept.window_start, {{ category_of_kept("kept") }}, kept.row_key, kept.kept_at
        ) as first_kept
        cross join lateral jsonb_populate_record(null::{{ name }}, first_kept.values) as before
        where jsonb_typeof(first_kept.values) = 'object' and before.as_of <= $1
    $as_of$;
    comment on function {{ name }}_as_of(timestamptz) is
        '{{ name }} as it was at a moment, as far as what was replaced since is kept (maintenance.score_history).';
    grant execute on function {{ name }}_as_of(timestamptz) to aurastream_reader
    {%- endif -%}
{%- endmacro %}

{#
A column of a row that was kept. What tells the row from others is read from what it is kept under, so
that who asks for a category and some days does not wait until all that was replaced is read.
#}
{% macro column_of_kept(column) -%}
    {%- set meta = config.get("meta") -%}
    {%- if column.name == meta["partition_by"] and meta["partition_type"] == "date" -%}
        (first_kept.window_start at time zone 'UTC')::date
    {%- elif column.name == meta["partition_by"] -%}
        first_kept.window_start
    {%- elif column.name == "category_key" and column.name in grain_within_partition() -%}
        first_kept.category_key
    {%- elif column.name in grain_within_partition() -%}
        (first_kept.row_key::jsonb ->> '{{ column.name }}')::{{ column.data_type }}
    {%- else -%}
        before.{{ adapter.quote(column.name) }}
    {%- endif -%}
{%- endmacro %}

{#
The same of a scored table of four-hour windows, which `aurastream.store.archive_history` keeps whole
when another code version replaces them.
#}
{% macro create_scores_as_of(source) -%}
    {%- set name = source.schema ~ "." ~ source.identifier -%}
    create or replace function {{ name }}_as_of(known_at timestamptz)
    returns setof {{ name }}
    language sql stable
    as $as_of$
        select there.*
        from {{ name }} as there
        where
            there.window_start <= $1 - interval '4 hours'
            and (
                not {{ was_replaced_since(source) }}
                or there.window_start not in (
                    select replaced.window_start
                    from {{ replaced_windows(source) }} as replaced
                )
            )
        union all
        select
            {%- for column in adapter.get_columns_in_relation(source) %}
            {% if column.name == "window_start" -%}
                kept.window_start
            {%- elif column.name == "category" -%}
                {{ category_of_kept("kept") }}
            {%- else -%}
                before.{{ adapter.quote(column.name) }}
            {%- endif -%}
            {{ "," if not loop.last }}
            {%- endfor %}
        from {{ replaced_windows(source) }} as replaced
        inner join maintenance.score_history as kept
            on
                kept.asset = '{{ asset_of(source) }}'
                and replaced.window_start = kept.window_start
                and replaced.kept_at = kept.kept_at
        cross join lateral jsonb_populate_record(
            null::{{ name }}, kept.row_key::jsonb || kept.values
        ) as before
        where
            replaced.window_start <= $1 - interval '4 hours'
            and jsonb_typeof(kept.values) = 'object'
    $as_of$;
    comment on function {{ name }}_as_of(timestamptz) is
        '{{ name }} as it was at a moment, as far as what another code version replaced since is kept (maintenance.score_history).';
    grant execute on function {{ name }}_as_of(timestamptz) to aurastream_reader
{%- endmacro %}

{#
The windows of a scored table that were replaced since the moment, and when first: a look at the
index for each that was ever replaced, however many rows it has.
#}
{% macro replaced_windows(source) -%}
    {%- set history = "maintenance.score_history" -%}
    {%- set mine = "asset = '" ~ asset_of(source) ~ "'" -%}
    (
        with recursive known as (
            (
                select window_start
                from {{ history }}
                where {{ mine }}
                order by window_start
                limit 1
            )
            union all
            select (
                select following.window_start
                from {{ history }} as following
                where following.{{ mine }} and following.window_start > known.window_start
                order by following.window_start
                limit 1
            )
            from known
            where known.window_start is not null
        )

        select *
        from (
            select
                known.window_start,
                (
                    select later.kept_at
                    from {{ history }} as later
                    where
                        later.{{ mine }}
                        and later.window_start = known.window_start
                        and later.kept_at > $1
                    order by later.kept_at
                    limit 1
                ) as kept_at
            from known
        ) as found
        where kept_at is not null
    )
{%- endmacro %}

{#
The rows of an append-only table that had reached it at a moment: without those that waited in a spool
and were delivered later. When they were observed is the mart's own question.
#}
{% macro create_record_as_of(source, at, table) -%}
    {%- set name = source.schema ~ "." ~ source.identifier -%}
    create or replace function {{ name }}_as_of(known_at timestamptz)
    returns setof {{ name }}
    language sql stable
    as $as_of$
        select there.*
        from {{ name }} as there
        where
            not exists (
                select 1
                from maintenance.deliveries as late
                where
                    late.delivered_at > $1
                    and late.table_name = {{ table }}
                    and there.{{ at }} between late.first_at and late.last_at
            )
    $as_of$;
    comment on function {{ name }}_as_of(timestamptz) is
        '{{ name }} without what waited in a spool at a moment and was delivered later (maintenance.deliveries). It says nothing of when a row was observed.';
    grant execute on function {{ name }}_as_of(timestamptz) to aurastream_reader
{%- endmacro %}

{# The asset that a table is, as `maintenance.score_history` names it. #}
{% macro asset_of(relation) -%}
    {{ relation.schema }}/{{ relation.identifier }}
{%- endmacro %}

{# When the partition of a row begins. #}
{% macro moment_of(row) -%}
    {%- set meta = config.get("meta") -%}
    {%- set at = row ~ "." ~ meta["partition_by"] -%}
    {%- if meta["partition_type"] == "date" -%}
        ({{ at }}::timestamp at time zone 'UTC')
    {%- else -%}
        {{ at }}
    {%- endif -%}
{%- endmacro %}

{# What tells a row from the others of its partition, as JSON. #}
{% macro row_key(row, columns) -%}
    jsonb_build_object(
        {%- for column in columns -%}
            '{{ column }}', {{ row }}.{{ column }}{{ ", " if not loop.last }}
        {%- endfor -%}
    )::text
{%- endmacro %}

{# The model's grain without the column of its partition, from the test that guards it. #}
{% macro grain_within_partition() -%}
    {%- set by = config.get("meta")["partition_by"] -%}
    {%- for test in graph.nodes.values() -%}
        {%- if test["resource_type"] == "test"
            and test["attached_node"] == model["unique_id"]
            and test["test_metadata"]["name"] == "unique_grain" -%}
            {{ return(test["test_metadata"]["kwargs"]["columns"] | reject("equalto", by) | list) }}
        {%- endif -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(model["name"] ~ " has no test unique_grain.") }}
{%- endmacro %}
