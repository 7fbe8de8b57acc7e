{# 0–100, higher is less crowded: 50 as usual or where nothing is usual, 0 at twice that or more. #}
{% macro saturation_score(live, usual) -%}
    (case
        when ({{ usual }}) > 0 then 100 * (1 - least(({{ live }}) / ({{ usual }}), 2) / 2)
        else 50
    end)
{%- endmacro %}

{# 0–100, higher is more evenly spread, from a Herfindahl–Hirschman index; 50 where nobody watches. #}
{% macro concentration_score(hhi) -%}
    coalesce(greatest(100 * (1 - 2 * ({{ hhi }})), 0 * ({{ hhi }})), 50)
{%- endmacro %}
