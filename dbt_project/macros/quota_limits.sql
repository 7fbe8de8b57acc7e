{# The buckets that have a limit a day, with it (aurastream/core/quota.py, compared in a test). #}
{% macro daily_quota_limits() -%}
    select *
    from (
        values
        ('youtube.default', 10000),
        ('youtube.batch_stats', 10000),
        ('youtube.search', 100)
    ) as daily (bucket, units)
{%- endmacro %}
