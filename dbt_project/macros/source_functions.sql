{#
The functions of the sources, for those who know them: same names and arguments, in the schema of
the tables. Made by the post-hook of a mart over the same tables.
#}
{% macro create_get_trending_categories() -%}
    drop function if exists aggregation.get_trending_categories(integer, timestamptz);
    create function aggregation.get_trending_categories(
        p_days integer default 7, p_as_of timestamptz default now()
    )
    returns table (
        category_key text,
        avg_viral_count double precision,
        views_trend double precision,
        opportunity_score double precision,
        momentum_index double precision,
        days_with_data integer,
        coverage_pct double precision,
        as_of timestamptz
    )
    language sql stable
    as $function$
        select
            daily.category_key,
            {{ exact_mean('daily.avg_viral_count') }},
            {{ exact_mean('daily.views_trend') }},
            {{ exact_mean('daily.momentum_index') }},
            {{ exact_mean('daily.momentum_index') }},
            (count(*) filter (where daily.received_samples > 0))::integer,
            (sum(daily.received_samples) * 100.0 / sum(daily.expected_samples))::double precision,
            max(daily.as_of)
        from aggregation.intel_daily_metrics_as_of(p_as_of) as daily
        where
            daily.as_of <= p_as_of
            and daily.date >= {{ days_back() }}
        group by daily.category_key
        order by 4 desc nulls last, daily.category_key
    $function$;
    comment on function aggregation.get_trending_categories(integer, timestamptz) is
        'Categories of the last days by opportunity_score, the mean of avg_viral_count × 10 + max(views_trend, 0); highest first, unknown last. The sources'' name of the column; momentum_index is the same number under the name it has in the other tables, where opportunity_score is another score.';
    grant execute on function aggregation.get_trending_categories(integer, timestamptz)
        to aurastream_reader
{%- endmacro %}

{% macro create_get_optimal_duration() -%}
    drop function if exists aggregation.get_optimal_duration(text, integer, timestamptz);
    create function aggregation.get_optimal_duration(
        p_category_key text, p_days integer default 7, p_as_of timestamptz default now()
    )
    returns table (
        bucket_label text,
        avg_performance_index double precision,
        total_videos integer,
        video_days integer,
        coverage_pct double precision,
        as_of timestamptz
    )
    language sql stable
    as $function$
        select
            lengths.bucket_label,
            -- Days weigh as many videos as they rest on.
            (
                sum(lengths.performance_index::numeric * lengths.views_known_count)
                / nullif(sum(lengths.views_known_count)
                filter (where lengths.performance_index is not null), 0)
            )::double precision,
            max(lengths.video_count),
            sum(lengths.video_count)::integer,
            (sum(lengths.received_samples) * 100.0 / sum(lengths.expected_samples))::double precision,
            max(lengths.as_of)
        from aggregation.intel_duration_performance_as_of(p_as_of) as lengths
        where
            lengths.category_key = p_category_key
            and lengths.as_of <= p_as_of
            and lengths.date >= {{ days_back() }}
        group by lengths.bucket_label
        -- Five different videos, not one that was there on five days.
        having max(lengths.video_count) >= 5
        order by 2 desc nulls last, min(lengths.bucket_min_seconds)
    $function$;
    comment on function aggregation.get_optimal_duration(text, integer, timestamptz) is
        'Lengths of a category with at least five videos, best performance index first. total_videos is the most distinct videos of a day, video_days their sum over the days.';
    grant execute on function aggregation.get_optimal_duration(text, integer, timestamptz)
        to aurastream_reader
{%- endmacro %}

{#
Age alone does not decide here: maintenance.retention_rules does, which the retention job writes
from the policy classes of the columns. Without a rule nothing goes. Each purge leaves its proof.
What only the operator's limit lets go has to be in the archive first: this function cannot write
it, so it refuses and says who can. What the terms let go goes in any case.
#}
{% macro create_cleanup_intel_data() -%}
    create or replace function aggregation.cleanup_intel_data()
    returns table (
        purged_table text, cutoff timestamptz, rows_removed bigint, rows_left bigint, rule text
    )
    language plpgsql volatile
    as $function$
    declare
        found_rule record;
        at timestamptz := clock_timestamp();
        rows_before bigint;
        not_archived text;
        day_of text;
    begin
        for found_rule in
            select rules.*
            from maintenance.retention_rules as rules
            inner join pg_catalog.pg_tables as tables
                on rules.table_name = tables.schemaname || '.' || tables.tablename
            where
                tables.schemaname = 'aggregation'
                and tables.tablename like 'intel\_%'
                and (rules.action = 'empty' or rules.max_age_hours is not null)
            order by rules.table_name
        loop
            purged_table := found_rule.table_name;
            cutoff := case
                when found_rule.action <> 'empty'
                    then at - found_rule.max_age_hours * interval '1 hour'
            end;
            rule := found_rule.reason;
            if found_rule.decided_by = 'operator' and cutoff is not null then
                -- As the archive has it: a row belongs to the month of its hour or day.
                day_of := case
                    when exists (
                        select from pg_catalog.pg_attribute
                        where attrelid = purged_table::regclass and attname = 'date'
                    ) then 'date'
                    else $day$(hour_start at time zone 'UTC')::date$day$
                end;
                execute format(
                    $query$
                        select string_agg(format('%%s rows of %%s', due, to_char(m, 'YYYY-MM')), ', ' order by m)
                        from (
                            select
                                date_trunc('month', %s)::date as m,
                                count(*) as found,
                                count(*) filter (where as_of < $1) as due
                            from %s
                            group by 1
                        ) as months
                        where due > 0 and not exists (
                            select from maintenance.archive as kept
                            where kept.dataset = $2 and kept.month = m and kept.rows >= found
                        )
                    $query$, day_of, purged_table
                ) into not_archived using cutoff, purged_table;
                if not_archived is not null then
                    raise exception '%: % are over age, and the archive does not have them',
                        purged_table, not_archived
                        using
                            errcode = 'object_not_in_prerequisite_state',
                            hint = 'Nothing was removed. Run aurastream archive --month YYYY-MM first, or let the daily job retention do both.';
                end if;
            end if;
            execute format('select count(*) from %s', purged_table) into rows_before;
            -- A row is as old as the end of its hour or day.
            execute format(
                'delete from %s where $1 is null or as_of < $1', purged_table
            ) using cutoff;
            get diagnostics rows_removed = row_count;
            execute format('select count(*) from %s', purged_table) into rows_left;
            if rows_removed > 0 then
                insert into maintenance.purges (
                    purge_id, purged_at, store, target, action, reason, mode, cutoff,
                    items, bytes, parts, before_count, after_count, run_id
                )
                values (
                    gen_random_uuid(), at, 'table', purged_table, found_rule.action,
                    found_rule.reason, found_rule.mode, cleanup_intel_data.cutoff,
                    rows_removed, 0, '{}', rows_before, rows_left, 'cleanup_intel_data()'
                );
            end if;
            return next;
        end loop;
    end
    $function$;
    comment on function aggregation.cleanup_intel_data() is
        'Removes what is over age by maintenance.retention_rules from the rollups, and writes the proof to maintenance.purges. Refuses rows that only the operator''s limit lets go and that are in no archived month. For the owner; the daily retention job archives and compares them first.';
    revoke execute on function aggregation.cleanup_intel_data() from public
{%- endmacro %}

{# The first of the days asked for. No number is too large for a date: before 1900 there is nothing. #}
{% macro days_back() -%}
    (
                greatest(p_as_of, '1970-01-01T00:00:00Z'::timestamptz) at time zone 'UTC'
            )::date - least(greatest(p_days, -25000), 25000)
{%- endmacro %}
