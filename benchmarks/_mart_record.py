"""A synthetic record of 1,000 games over 90 days, made in the database itself.

The values are noise around a rhythm of the day and the week; what matters here is how many rows
there are and how they lie.
"""

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.migrate import migrate
from aurastream.store.partitions import ensure_partitions
from aurastream_assets.aggregation.project import load_manifest
from aurastream_assets.aggregation.runner import DbtRunner

__all__ = [
    "COLLECTION_HOURS",
    "DAYS",
    "HOURS",
    "INSIGHTS",
    "RELATIONS",
    "VIEWS",
    "analyze",
    "naive_layout",
    "record",
    "synthetic_days",
    "synthetic_hours",
    "synthetic_operations",
    "synthetic_windows",
]

HOURS = "intel_hourly_metrics"
COLLECTION_HOURS = "intel_collection_hours"
INSIGHTS = "intel_insight_days"
_NODES = [
    node
    for node in load_manifest()["nodes"].values()
    if node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral"
]
DAYS = sorted(n["name"] for n in _NODES if n["config"]["meta"].get("partitions") == "days")
RELATIONS = sorted((n["schema"], n["name"], "category_key" in n["columns"]) for n in _NODES)
VIEWS = sorted(n["name"] for n in _NODES if n["config"]["materialized"] == "view")

_COVERED = """
    {expected}, {expected}, 100, {end} - interval '5 minutes', 300, {end}
"""
_CATEGORIES = """
    insert into operations.categories (
        category, kind, title, youtube_category_id, twitch_game_id, twitch_game_name, priority,
        interval_minutes, max_videos, baseline_velocity_per_hour, audience_timezone, rules,
        is_enabled
    )
    select 'game' || g, 'game', 'Game ' || g, null, g::text, 'Game ' || g, 1, 60, 50, 1000,
        'America/New_York', '{}', true
    from generate_series(1, %(games)s) as g
"""
_HOURLY = """
    insert into aggregation.intel_hourly_metrics (
        id, category_key, hour_start, video_count, avg_views, avg_engagement, total_views,
        viral_count, rising_count, avg_velocity, max_velocity, shorts_count, shorts_avg_views,
        longform_count, longform_avg_views, avg_duration_seconds, optimal_duration_bucket,
        language_distribution, dominant_language, created_at, avg_velocity_now, views_known_count,
        engagement_known_count, shorts_rule_version, expected_samples, received_samples,
        coverage_pct, confidence_pct, newest_observed_at, lag_s, as_of
    )
    select row_number() over (), 'game' || g, h, 50, 1e4 * random(), 0.05, 500000,
        (10 * random())::int, 5, 100 * random(), 900, 10, 9000, 40, 11000, 600, '8-15 min',
        '{"en": 40, "de": 10}', 'en', h + interval '1 hour', 50, 50, 50, 'duration-2024-10-15',
        2, 2, 100, 90, h + interval '55 minutes', 300, h + interval '1 hour'
    from generate_series(%(start)s, %(end)s - interval '1 hour', interval '1 hour') as h
    cross join generate_series(1, %(games)s) as g
"""
_VELOCITY = """
    insert into intelligence.video_velocity (
        window_start, category, video_id, channel_id, observed_at, published_at, age_h, best_rank,
        region_count, views, likes, comments, duration_s, audio_language,
        lifetime_velocity_per_hour, velocity_now_per_hour, velocity_now_span_h, velocity_now_n,
        views_fell, engagement_rate, freshness, confidence_pct
    )
    select w, 'game' || g, 'v' || g || '-' || v, 'c' || g || '-' || v %% 20,
        w + interval '25 minutes', w - interval '1 hour' * (v * 2 %% 60), 10, null, 1,
        (1e6 * random())::bigint, 100, 10, 30 + v * 60, (array['en', 'de', 'es'])[1 + v %% 3],
        1000 * random(), 500 * random(), 2, 4, false, 0.05, 'FRESH', 95
    from unnest(%(windows)s::timestamptz[]) as w
    cross join generate_series(1, %(games)s) as g
    cross join generate_series(1, %(videos)s) as v
"""
_SCORES = """
    insert into intelligence.viral_scores (
        window_start, category, video_id, trend_class, viral_score, velocity_z, views_score,
        engagement_score, decayed_score, confidence_pct, sample_count
    )
    select window_start, category, video_id,
        (array['VIRAL', 'RISING', 'STABLE', 'STABLE', 'STABLE'])[1 + (random() * 4)::int],
        50, 0, 50, 50, 100 * random(), 95, 50
    from intelligence.video_velocity
"""
_COMPETITION = """
    insert into intelligence.competition (
        window_start, category, observed_at, live_count, viewer_total, baseline_live_count,
        baseline_n, saturation_score, hhi, hhi_lower, hhi_upper, concentration_band,
        concentration_score, ease_score, is_peak, confidence_pct, peak_source
    )
    select w, 'game' || g, w + interval '20 minutes', 90, 5000, 90, 4, 50, 0.1, 0.1, 0.1, 'LOW',
        80, 65, false, 90, 'fixed'
    from unnest(%(windows)s::timestamptz[]) as w
    cross join generate_series(1, %(games)s) as g
"""
_OPPORTUNITY = """
    insert into intelligence.opportunity (
        window_start, category, viral_count, rising_count, sample_count, velocity_ratio,
        trend_part, velocity_part, ease_part, peak_factor, opportunity_score, confidence_pct
    )
    select w, 'game' || g, 3, 5, 50, 1.1, 50, 50, 50, 1, 60, 90
    from unnest(%(windows)s::timestamptz[]) as w
    cross join generate_series(1, %(games)s) as g
"""
_DESCRIBED = """
    insert into collection.youtube_videos (
        video_id, metadata_hash, first_observed_at, title, description, tags, channel_id,
        channel_title, published_at, topic_categories
    )
    select distinct on (video_id) video_id, 'h', published_at, 'A title', '', '{}'::text[],
        channel_id, 'A channel', published_at, '{}'::text[]
    from intelligence.video_velocity
    order by video_id
    on conflict do nothing
"""
# What the last window said before another code version: what an as-of query of a moment ago reads.
_KEPT = """
    insert into maintenance.score_history
        (window_start, asset, code_version, row_key, values, kept_at)
    select window_start, 'intelligence/viral_scores', '0',
        jsonb_build_object('category', category, 'video_id', video_id)::text,
        to_jsonb(s) - array['window_start', 'category', 'video_id'], now()
    from intelligence.viral_scores as s
    where window_start = (select max(window_start) from intelligence.viral_scores)
    union all
    select window_start, 'intelligence/opportunity', '0',
        jsonb_build_object('category', category)::text,
        to_jsonb(o) - array['window_start', 'category'], now()
    from intelligence.opportunity as o
    where window_start = (select max(window_start) from intelligence.opportunity)
"""
# What a backfill of two weeks with other formulas leaves behind.
_SCORED_AGAIN = """
    insert into maintenance.score_history
        (window_start, asset, code_version, row_key, values, kept_at)
    select s.window_start, 'intelligence/{table}', '1',
        jsonb_build_object({named})::text,
        to_jsonb(s) - array['window_start', {keys}], now()
    from intelligence.{table} as s
    on conflict do nothing
"""
_ROLLED_UP_AGAIN = """
    insert into maintenance.score_history
        (window_start, asset, code_version, row_key, values, kept_at)
    select s.date::timestamp at time zone 'UTC', 'aggregation/{table}', '1',
        jsonb_build_object({named})::text, to_jsonb(s), now()
    from aggregation.{table} as s
    where s.date >= current_date - 14
    on conflict do nothing
"""
_AGAIN = {
    _SCORED_AGAIN: {
        "viral_scores": ["category", "video_id"],
        "opportunity": ["category"],
        "competition": ["category"],
        "title_intel": ["category", "pattern"],
        "clip_video_lead_lag": ["category", "relation"],
    },
    _ROLLED_UP_AGAIN: {
        "intel_daily_metrics": ["category_key"],
        "intel_competition_days": ["category_key"],
        "intel_duration_performance": ["category_key", "bucket_label"],
        "intel_posting_hours": ["category_key", "language", "published_date"],
        "intel_stream_hours": ["category_key", "language"],
    },
}
_TITLES = """
    insert into intelligence.title_intel (
        window_start, category, pattern, title_count, pattern_count, pattern_share, with_count,
        without_count, cohort_count, cluster_count, lift, ci_low, ci_high, p_value, q_value, verdict
    )
    select w, 'game' || g, 'pattern' || k, 50, 20, 0.4, 20, 30, 5, 20, 0.8 + random(), 0.7, 1.9,
        random(), random(), 'UNCLEAR'
    from unnest(%(windows)s::timestamptz[]) as w
    cross join generate_series(1, %(games)s) as g
    cross join generate_series(1, 20) as k
"""
# What the channels said of themselves in a week.
_CHANNELS = """
    insert into collection.youtube_channels (
        observed_at, channel_id, title, country, published_at, views, subscribers, videos, fetch_id
    )
    select d, 'c' || g || '-' || k, 'A channel', 'US', d - interval '2 years', 1000000, 1000, 100,
        gen_random_uuid()
    from generate_series(%(end)s - interval '7 days', %(end)s, interval '1 day') as d
    cross join generate_series(1, %(games)s) as g
    cross join generate_series(0, 19) as k
"""
_LEADS = """
    insert into intelligence.clip_video_lead_lag (
        window_start, category, relation, lag_h, lag_low_h, lag_high_h, correlation, band, p_value,
        common_hours, clip_hours, video_hours, resolution_h
    )
    select w, 'game' || g, (array['LEADS', 'NONE', 'UNKNOWN'])[1 + (random() * 2)::int], 3, 2, 4,
        0.5, 0.3, 0.02, 300, 320, 310, 1
    from unnest(%(windows)s::timestamptz[]) as w
    cross join generate_series(1, %(games)s) as g
"""
_CRAWLS = """
    insert into operations.crawls (
        crawl_at, dataset, category, region, observed_at, expected, got, rejected, is_complete,
        reason, membership_hash, stats_hash
    )
    select h, dataset, 'game' || g, '', h + interval '1 minute', 50, 50, 0, true, '', '', ''
    from generate_series(
        %(start)s::timestamptz, %(end)s::timestamptz - interval '1 hour', interval '1 hour'
    ) as h
    cross join generate_series(1, %(games)s) as g
    cross join unnest(array[
        'collection/youtube_games', 'collection/twitch_streams', 'collection/clip_radar'
    ]) as dataset
"""
# The platform allows 10,000 units a day, whatever the number of games; a call costs one.
_CALLS = """
    insert into operations.quota_ledger (
        reservation_id, platform, bucket, quota_date, endpoint, purpose, units_reserved,
        units_settled, reserved_at, settled_at
    )
    select gen_random_uuid(), 'youtube', 'youtube.units',
        (at at time zone 'America/Los_Angeles')::date, 'videos.list',
        (array['collection/youtube_games', 'collection/youtube_trending'])[1 + n %% 2],
        1, 1, at, at + interval '1 second'
    from generate_series(1, 10000 * 31) as n
    cross join lateral (
        select %(start)s::timestamptz + n * (%(end)s::timestamptz - %(start)s) / (10000 * 31)
    ) as call (at)
"""
# The sources' tables: intel_hourly_metrics, intel_daily_metrics, intel_duration_performance and
# intel_regional_performance with their unique keys, snapshots under (video_id, captured_at).
_NAIVE = (
    "create schema naive",
    """
    create table naive.video_snapshots (
        video_id text, captured_at timestamptz, category text, channel_id text, title text,
        view_count bigint, like_count bigint, comment_count bigint, duration_seconds integer,
        published_at timestamptz, language text, rank integer,
        primary key (video_id, captured_at)
    )
    """,
    """
    insert into naive.video_snapshots
    select video_id, window_start, category, channel_id, 'A title', views, likes, comments,
        duration_s, published_at, audio_language, best_rank
    from intelligence.video_velocity order by random()
    """,
    """
    create table naive.intel_hourly_metrics (
        id bigint generated always as identity primary key, category_key text not null,
        hour_timestamp timestamptz not null, video_count integer, avg_views double precision,
        avg_engagement double precision, total_views bigint, viral_count integer,
        rising_count integer, avg_velocity double precision, max_velocity double precision,
        shorts_count integer, shorts_avg_views double precision, longform_count integer,
        longform_avg_views double precision, optimal_duration_bucket text,
        language_distribution jsonb, dominant_language text,
        unique (category_key, hour_timestamp)
    )
    """,
    """
    insert into naive.intel_hourly_metrics overriding user value
    select 0, category_key, hour_start, video_count, avg_views, avg_engagement, total_views,
        viral_count, rising_count, avg_velocity, max_velocity, shorts_count, shorts_avg_views,
        longform_count, longform_avg_views, optimal_duration_bucket, language_distribution,
        dominant_language
    from aggregation.intel_hourly_metrics
    """,
    """
    create table naive.intel_daily_metrics as
    select category_key, date, avg_viral_count, views_trend from aggregation.intel_daily_metrics
    """,
    "alter table naive.intel_daily_metrics add unique (category_key, date)",
    """
    create table naive.intel_duration_performance as
    select category_key, date, bucket_label, video_count, avg_views, performance_index
    from aggregation.intel_duration_performance
    """,
    "alter table naive.intel_duration_performance add unique (category_key, date, bucket_label)",
    """
    create table naive.intel_regional_performance as
    select category_key, date, language_code, youtube_video_count, youtube_avg_views,
        market_share_percent
    from aggregation.intel_regional_performance
    """,
    "alter table naive.intel_regional_performance add unique (category_key, date, language_code)",
    "grant usage on schema naive to aurastream_reader",
    "grant select on all tables in schema naive to aurastream_reader",
)
# Days, as the rollups would have them: what 90 days of windows would give in hours of work.
_DAILY = {
    "intel_competition_days": """
        select 'game' || g, d, 80 + 20 * random(), 5000 * random(), 100000, 20, 9, 48,
            100 * random(), random() * 0.3, 70, 60, 90,
    """,
    "intel_channel_days": """
        select 'game' || g, d, 'c' || g || '-' || k, 3, (1.2 * random())::int, 0,
            (1.2 * random())::int, 1000000, 1000 * random(), 'v' || g || '-' || k,
    """,
    "intel_posting_hours": """
        select 'game' || g, d, (array['en', 'de', 'es'])[k], d - 1, 24, array_fill(1, array[24]),
            array_fill((5e9 + 1e9 * random())::bigint, array[24]),
            array_fill((3e10 + 1e9 * random())::bigint, array[24]),
    """,
    "intel_stream_hours": """
        select 'game' || g, d, (array['en', 'de', 'es'])[k], array_fill(4, array[24]),
            array_fill((30 * random())::real, array[24]),
            array_fill((3000 * random())::real, array[24]),
    """,
    "intel_duration_performance": """
        select g * 1000000 + (d - '2020-01-01'::date) * 10 + k, 'game' || g, d,
            (array['<1 min', '1-3 min', '3-8 min', '8-15 min', '15-30 min', '>30 min'])[k],
            (array[0, 60, 180, 480, 900, 1800])[k], (array[60, 180, 480, 900, 1800, null])[k],
            9, 1e4 * random(), 0.05, 90000, 0.5 + random(), d + 1, 9, 9, k = 4,
    """,
    "intel_regional_performance": """
        select g * 1000000 + (d - '2020-01-01'::date) * 10 + k, 'game' || g, d,
            (array['en', 'de', 'es'])[k], 16, 1e4, 160000, 30, 100, 3000, 50, 50, 33, d + 1,
            'twitch', 16, 30, 96,
    """,
}
_FAN = {
    "intel_competition_days": 1,
    "intel_channel_days": 10,
    "intel_posting_hours": 3,
    "intel_stream_hours": 3,
    "intel_duration_performance": 6,
    "intel_regional_performance": 3,
}


@contextmanager
def record(games: int) -> Iterator[tuple[str, DbtRunner]]:
    """Start a server of its own that flushes to disk; give its URL and a runner for it."""
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory) / "postgres") as server:
            migrate(server.url)
            runner = DbtRunner(server.url, Path(directory) / "dbt")
            runner.build([HOURS, COLLECTION_HOURS])
            runner.build(DAYS)
            _run(server.url, _CATEGORIES, games=games)
            yield server.url, runner


def synthetic_hours(url: str, *, games: int, start: dt.datetime, end: dt.datetime) -> int:
    """Fill the hours; return how many rows there are."""
    return _run(url, _HOURLY, games=games, start=start, end=end)


def synthetic_days(url: str, *, games: int, start: dt.datetime, end: dt.datetime) -> int:
    """Fill the tables of days that are rolled up from windows; return how many rows there are."""
    total = 0
    end_of_day = "(d + 1)::timestamp at time zone 'UTC'"
    for table, values in _DAILY.items():
        expected = 96 if table == "intel_stream_hours" else 48
        total += _run(
            url,
            f"insert into aggregation.{table} {values}"  # our own names
            + _COVERED.format(expected=expected, end=end_of_day)
            + f"""
            from generate_series(1, %(games)s) as g
            cross join (
                select generate_series(
                    %(start)s, %(end)s - interval '1 day', interval '1 day'
                )::date as d
            ) as days
            cross join generate_series(1, {_FAN[table]}) as k
            """,
            games=games,
            start=start,
            end=end,
        )
    return total


def synthetic_windows(
    url: str, *, games: int, videos: int, windows: Sequence[dt.datetime], end: dt.datetime
) -> int:
    """Fill half-hour windows of scores, and a week of analyses; return how many velocities."""
    with psycopg.connect(url, autocommit=True) as connection:
        # What is of the end itself belongs to the next day when that is a midnight.
        ensure_partitions(connection, end - dt.timedelta(days=8), end + dt.timedelta(hours=1))
    rows = _run(url, _VELOCITY, games=games, videos=videos, windows=list(windows))
    for statement in (_SCORES, _DESCRIBED):
        _run(url, statement)
    for statement in (_COMPETITION, _OPPORTUNITY):
        _run(url, statement, games=games, windows=list(windows))
    _run(url, _KEPT)
    _run(url, _CHANNELS, games=games, end=end)
    last = end.replace(hour=end.hour - end.hour % 4) - dt.timedelta(hours=4)
    analysed = [last - n * dt.timedelta(hours=4) for n in range(42)]
    for statement in (_TITLES, _LEADS):
        _run(url, statement, games=games, windows=analysed)
    return rows


def synthetic_replacements(url: str) -> int:
    """Keep what two weeks said before they were computed again; return how many rows."""
    total = 0
    for statement, tables in _AGAIN.items():
        for table, keys in tables.items():
            named = ", ".join(f"'{key}', s.{key}" for key in keys)
            listed = ", ".join(f"'{key}'" for key in keys)
            total += _run(url, statement.format(table=table, named=named, keys=listed))
    return total


def synthetic_operations(url: str, *, games: int, end: dt.datetime) -> int:
    """Fill a month of hourly crawls and of the calls they cost; return how many crawls."""
    start = end - dt.timedelta(days=31)
    with psycopg.connect(url, autocommit=True) as connection:
        ensure_partitions(connection, start, end)
    _run(url, _CALLS, start=start, end=end)
    return _run(url, _CRAWLS, games=games, start=start, end=end)


def naive_layout(url: str) -> None:
    """Copy the rows into the tables of the sources, with the keys that those have.

    No partitions, no order, no tables of days but the sources' own; the analysts may read it.
    """
    for statement in _NAIVE:
        _run(url, statement)


def analyze(url: str) -> None:
    """Let the planner know what there is, as autovacuum does in a minute."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _run(url: str, statement: str, **values: object) -> int:
    """Run a statement in UTC; return how many rows it wrote."""
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        if not values:
            return connection.execute(statement).rowcount
        return connection.execute(statement, values).rowcount
