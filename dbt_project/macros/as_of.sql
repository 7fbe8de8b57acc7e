{#
The moment a mart speaks of. In the view it is now; in the function of the same name with `_as_of`
it is the function's argument (`create_as_of_function` replaces these very texts, so write them no
other way).
#}
{% macro known_at() -%}
    now()
{%- endmacro %}

{#
Until when a half-hour window may end to be shown. The view shows the window that is still open, as
far as it is scored; in the past a window counts from its end on, because what it said before then
was overwritten.
#}
{% macro open_until() -%}
    (now() + interval '30 minutes')
{%- endmacro %}

{#
The newest day of a rollup that was known at the moment. Rows are replaced within their day, so that
the table of today says in the past as well which days there were. Named without its database, it is
none of those that `create_as_of_function` replaces, and is read with its index. A day is known when
it is over at the earliest; that it is over says the index alone, without a look at every later row.
#}
{% macro newest_date(rollup) -%}
    (
        select max(newest.date)
        from {{ ref(rollup).include(database=false) }} as newest
        where
            newest.as_of <= {{ known_at() }}
            and newest.date < ({{ known_at() }} at time zone 'UTC')::date
    )
{%- endmacro %}

{#
`marts.<name>_as_of(timestamptz)`: the rows of the mart as they could be known at a moment. Made
from the view's own SQL, so that the two cannot drift apart; where the view reads a rollup,
the scores of an analysis or what was collected, the function reads it as it was then
(`kept_rows.sql`).
#}
{% macro create_as_of_function() -%}
    {%- if execute -%}
        {%- set function = this.schema ~ "." ~ this.identifier ~ "_as_of" -%}
        {%- set found = namespace(
            body=staging_in_place(model["compiled_code"])
                | replace(open_until(), "$1")
                | replace(known_at(), "$1")
        ) -%}
        {%- for schema, name, at, table in [
            ("operations", "crawls", "observed_at", "replace(there.dataset, '/', '.')"),
            ("collection", "youtube_videos", "first_observed_at", "'collection.youtube_videos'"),
            ("collection", "youtube_channels", "observed_at", "'collection.youtube_channels'"),
        ] -%}
            {%- set record = source(schema, name) -%}
            {%- if record | string in found.body -%}
                {{ one_at_a_time() }};
                {{ create_record_as_of(record, at, table) }};
                {%- set found.body = found.body | replace(record | string, as_of_of(record)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for name in ["title_intel", "clip_video_lead_lag"] -%}
            {%- set scores = source("intelligence", name) -%}
            {%- if scores | string in found.body -%}
                {{ one_at_a_time() }};
                {{ create_scores_as_of(scores) }};
                {%- set found.body = found.body | replace(scores | string, as_of_of(scores)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for node in graph.nodes.values() if node["config"]["materialized"] == "incremental" -%}
            {%- set rollup = api.Relation.create(
                database=node["database"], schema=node["schema"], identifier=node["name"]
            ) -%}
            {%- set found.body = found.body | replace(rollup | string, as_of_of(rollup)) -%}
        {%- endfor -%}
        {%- set columns = model["columns"].values() | list %}
        drop function if exists {{ function }}(timestamptz);
        create function {{ function }}(known_at timestamptz)
        returns table (
            {%- for column in columns %}
            {{ adapter.quote(column["name"]) }} {{ column["data_type"] }}{{ "," if not loop.last }}
            {%- endfor %}
        )
        language sql stable
        as $as_of$
            select
                {%- for column in columns %}
                known.{{ adapter.quote(column["name"]) }}{{ "," if not loop.last }}
                {%- endfor %}
            from (
                {{ found.body }}
            ) as known
        $as_of$;
        comment on function {{ function }}(timestamptz) is
            $text${{ this.schema }}.{{ this.identifier }} as it could be known at a moment: {{ model["description"] | trim }}$text$;
        grant execute on function {{ function }}(timestamptz) to aurastream_reader
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Until the transaction ends: two marts are made at once, and both may need the same function. #}
{% macro one_at_a_time() -%}
    select pg_advisory_xact_lock(hashtext('aurastream_as_of'))
{%- endmacro %}

{# A relation as a call of its function. #}
{% macro as_of_of(relation) -%}
    {{ relation.schema }}.{{ relation.identifier }}_as_of($1)
{%- endmacro %}

{# Whether rows of a relation were replaced after the moment: asked once, and mostly not so. #}
{% macro was_replaced_since(relation) -%}
    (
        select exists (
            select 1
            from maintenance.score_history as later
            where later.kept_at > $1 and later.asset = '{{ asset_of(relation) }}'
        )
    )
{%- endmacro %}
