{#
How a video came out, from its metadata: announced (it had a scheduled start and has begun),
instant, live (broadcast without a schedule, or still running) or upcoming.
#}
{% macro release_kind(live_state, scheduled_start_at, actual_start_at) -%}
    case
        when
            coalesce({{ live_state }}, '') = 'upcoming'
            or (
                {{ scheduled_start_at }} is not null
                and {{ actual_start_at }} is null
                and coalesce({{ live_state }}, '') <> 'live'
            )
            then 'upcoming'
        when
            coalesce({{ live_state }}, '') = 'live'
            or ({{ actual_start_at }} is not null and {{ scheduled_start_at }} is null)
            then 'live'
        when {{ scheduled_start_at }} is not null then 'announced'
        else 'instant'
    end
{%- endmacro %}

{# 95 % of a normal distribution lie within this many standard deviations. #}
{% macro z95() -%}
    1.959963984540054::double precision
{%- endmacro %}

{# A bound of the Wilson score interval of a share, 0–1; null without trials. `side` is low or high. #}
{% macro wilson_bound(hits, trials, side) -%}
    {%- set share = "(" ~ hits ~ "::double precision / " ~ trials ~ ")" -%}
    (case
        when coalesce({{ trials }}, 0) = 0 then null
        {% if side == "low" -%}
            when {{ hits }} = 0 then 0
        {%- else -%}
            when {{ hits }} = {{ trials }} then 1
        {%- endif %}
        else
            greatest(0, least(1, (
                {{ share }} + {{ z95() }} ^ 2 / (2 * {{ trials }})
                {{ "-" if side == "low" else "+" }} {{ z95() }} * sqrt(
                    {{ share }} * (1 - {{ share }}) / {{ trials }}
                    + {{ z95() }} ^ 2 / (4 * {{ trials }}::double precision ^ 2)
                )
            ) / (1 + {{ z95() }} ^ 2 / {{ trials }})))
    end)::double precision
{%- endmacro %}
