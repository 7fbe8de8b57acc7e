{#
How likely a video is a Short, 0 to 1; null without a length (live, upcoming). The API does not
say, so the length and the limit in force when it was published decide: 60 s, and 180 s since
2024-10-15. Between 60 s and 180 s long-form videos are common too, hence the lower value.
#}
{% macro short_likelihood(duration_s, published_at) -%}
    case
        when {{ duration_s }} is null then null
        when {{ duration_s }} <= 60 then 0.9
        when
            {{ duration_s }} <= 180
            and coalesce({{ published_at }}, 'infinity'::timestamptz)
            >= '2024-10-15T00:00:00+00:00'::timestamptz
            then 0.6
        else 0.0
    end::double precision
{%- endmacro %}

{# The version of that rule; it changes with the rule, and rows of two versions do not compare. #}
{% macro shorts_rule_version() -%}
    'duration-2024-10-15'
{%- endmacro %}

{# A video counts as a Short from this likelihood on. #}
{% macro short_threshold() -%}
    0.5
{%- endmacro %}

{# Duration buckets as the metrics glossary has them: the lower bound belongs to the bucket. #}
{% macro duration_bucket(duration_s) -%}
    case
        when {{ duration_s }} is null then null
        when {{ duration_s }} < 60 then '<1 min'
        when {{ duration_s }} < 180 then '1-3 min'
        when {{ duration_s }} < 480 then '3-8 min'
        when {{ duration_s }} < 900 then '8-15 min'
        when {{ duration_s }} < 1800 then '15-30 min'
        else '>30 min'
    end
{%- endmacro %}

{# All of them, shortest first: ties go to the shorter. #}
{% macro duration_buckets() -%}
    array['<1 min', '1-3 min', '3-8 min', '8-15 min', '15-30 min', '>30 min']
{%- endmacro %}

{# Primary language subtag in lower case; 'und' (undetermined) when the creator set none. #}
{% macro primary_language(tag) -%}
    coalesce(nullif(split_part(replace(lower({{ tag }}), '_', '-'), '-', 1), ''), 'und')
{%- endmacro %}
