"""What cannot be, per check: statements after which each must fail, and the rows that they need.

A new check without an entry here, or a test named in `ELSEWHERE`, is noticed (see `test_checks`).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from aurastream.store.tables import metadata as tables
from aurastream.store.tables.narrow import narrow_of, view_of

__all__ = ["ELSEWHERE", "HIDING", "SPOILED", "again", "made_up", "newest"]

FOUR_HOURLY: Final = frozenset(
    {
        *("clip_hours", "clip_video_lead_lag", "hour_of_week_map", "video_ideas", "topic_intel"),
        *("title_intel", "keyword_scores", "description_intel", "content_formats"),
        *("shorts_comparison", "language_mix", "regional_intel", "premiere_intel"),
        *("publishing_times", "channel_outliers", "thumbnail_intel", "thumbnail_designs"),
    }
)
ACCEPTING: Final = FOUR_HOURLY - {"clip_hours", "regional_intel"} | {
    *("video_velocity", "category_stats", "viral_scores", "competition", "opportunity"),
    *("clip_intel", "clip_activity", "momentum", "viewer_anomalies"),
}


def newest(table: str) -> str:
    """Return the condition that a row is of the newest window of a dataset of the intelligence."""
    return f"window_start = (select max(window_start) from intelligence.{table})"


def again(table: str, where: str, **changed: str) -> str:
    """Return the statement that stores rows a second time, with other values in some columns."""
    columns = [column.name for column in tables.tables[table].columns]
    values = [changed.get(name, name) for name in columns]
    return (
        f"insert into {table} ({', '.join(columns)}) "
        f"select {', '.join(values)} from {table} where {where}"
    )


def made_up(table: str, **values: str) -> str:
    """Return the statement that stores a row with values, and something in whatever needs one."""
    declared = tables.tables[table].columns
    given = {c.name: _something(c) for c in declared if not c.nullable} | values
    return f"insert into {table} ({', '.join(given)}) values ({', '.join(given.values())})"


def _something(column: "sa.Column[object]") -> str:
    kinds: Mapping[type, str] = {
        sa.Text: "'x'",
        sa.Boolean: "false",
        sa.Integer: "1",
        sa.Float: "0.5",
        sa.ARRAY: "'{}'",
        sa.LargeBinary: "'x'",
        sa.JSON: "'[1]'",
        sa.TIMESTAMP: "now()",
    }
    return next(value for kind, value in kinds.items() if isinstance(column.type, kind))


def _changed(table: str, values: str, where: str = "true") -> str:
    return f"update intelligence.{table} set {values} where {newest(table)} and {where}"


def _gone(table: str, category: str) -> str:
    return f"delete from intelligence.{table} where {newest(table)} and category = ({category})"


def _first(table: str, where: str = "true") -> str:
    return f"select min(category) from intelligence.{table} where {newest(table)} and {where}"


def _last(table: str, where: str = "true") -> str:
    return f"select max(category) from intelligence.{table} where {newest(table)} and {where}"


def _refused(tables_of: Iterable[str]) -> dict[str, str]:
    return {
        f"{name}:accepted": f"""
            insert into operations.quarantine
                (occurred_at, quarantine_id, source, item_id, reason, raw)
            select max(window_start) + interval '{_length(name)}', gen_random_uuid(),
                   'intelligence/{name}', 'nobody', 'cannot be', ''
            from intelligence.{name}
        """
        for name in tables_of
    }


def _length(table: str) -> str:
    return "4 hours" if table in FOUR_HOURLY else "30 minutes"


def _crawl(dataset: str, table: str) -> str:
    """Say that something was got in the newest window of which nothing is in it."""
    return again(
        "operations.crawls",
        f"dataset = '{dataset}' and crawl_at = "
        f"(select max(crawl_at) from operations.crawls where dataset = '{dataset}') limit 1",
        crawl_at=f"(select max(window_start) from intelligence.{table})",
        category="'nobody'",
        got="1",
    )


def _swapped(column: str) -> str:
    return f"{column} = case when {column} > 0.5 then 0.1 else 0.9 end"


def _with_secret(table: sa.Table) -> str:
    """Add a column that nobody declared to a table, or to the view that stands for it."""
    if narrow_of(table) is None:
        return f"alter table {table.fullname} add column secret text"
    query = view_of(table).replace("\nFROM", ", 'x'::text AS secret\nFROM", 1)
    return f"create or replace view {table.fullname} as {query}"


def _of_collection(name: str, counter: str | None) -> dict[str, str]:
    table = f"collection.{name}"
    last = f"crawl_at = (select max(crawl_at) from {table})"
    found = {
        "coverage": f"""
            update operations.crawls set is_complete = false
            where dataset = 'collection/{name}' and crawl_at = (
                select max(crawl_at) from operations.crawls where dataset = 'collection/{name}')
        """,
        "duplicates": again(table, last, observed_at="observed_at + interval '1 microsecond'"),
        "schema": _with_secret(tables.tables[table]),
    }
    if counter is not None:
        half_an_hour = "interval '30 minutes'"
        found["monotone_views"] = again(
            table,
            f"{last} and {counter} is not null",
            crawl_at=f"crawl_at - {half_an_hour}",
            observed_at=f"observed_at - {half_an_hour}",
            **{counter: f"{counter} + 9"},
        )
    return {f"collection/{name}:{check}": statement for check, statement in found.items()}


_SCORES: Final = {
    "video_velocity:range": _changed("video_velocity", "age_h = -1"),
    "video_velocity:drift": _changed(
        "video_velocity", "lifetime_velocity_per_hour = 5 * lifetime_velocity_per_hour"
    ),
    "video_velocity:coverage": _crawl("collection/youtube_trending", "video_velocity"),
    "video_velocity:monotone_views": _changed("video_velocity", "views_fell = true"),
    "category_stats:ordered_percentiles": _changed("category_stats", "views_p25 = views_p90 + 1"),
    "category_stats:coverage": _changed("category_stats", "sample_count = sample_count + 1"),
    "category_stats:drift": _changed(
        "category_stats", "velocity_p50 = velocity_p50 / 5, velocity_p25 = velocity_p25 / 5"
    ),
    "viral_scores:range": _changed("viral_scores", "decayed_score = 101"),
    "viral_scores:known_share": _changed("viral_scores", "trend_class = 'UNKNOWN'"),
    "viral_scores:drift": _changed("viral_scores", "viral_score = (viral_score::int + 50) %% 100"),
    "competition:range": _changed("competition", "saturation_score = 101"),
    "competition:known_share": again(
        "operations.crawls",
        "dataset = 'collection/twitch_streams' and crawl_at = (select max(crawl_at) "
        "from operations.crawls where dataset = 'collection/twitch_streams')",
        crawl_at="(select max(window_start) from intelligence.competition) - interval '228 hours'",
        is_complete="true",
    ),
    "competition:drift": _changed(
        "competition", "ease_score = case when ease_score > 50 then 10 else 90 end"
    ),
    "opportunity:range": _changed("opportunity", "trend_part = 101"),
    "opportunity:coverage": _gone("opportunity", _first("opportunity")),
    "opportunity:drift": _changed(
        "opportunity", "opportunity_score = case when opportunity_score > 50 then 9 else 91 end"
    ),
}
_CLIPS: Final = {
    "clip_intel:range": _changed("clip_intel", "velocity_score = 101"),
    "clip_intel:monotone_views": _changed("clip_intel", "views_fell = true"),
    "clip_intel:coverage": _crawl("collection/clip_radar", "clip_intel"),
    "clip_intel:drift": _changed(
        "clip_intel", "lifetime_velocity_per_hour = 9 * lifetime_velocity_per_hour"
    ),
    "clip_activity:adds_up": _changed("clip_activity", "clip_count = clip_count + 1"),
    "clip_activity:drift": _changed(
        "clip_activity", "views_gained_per_hour = 9 * views_gained_per_hour"
    ),
    "clip_hours:range": again(
        "intelligence.clip_hours",
        f"{newest('clip_hours')} limit 1",
        category="'nobody'",
        hour_start="hour_start + interval '7 minutes'",
    ),
    "clip_hours:drift": _changed("clip_hours", "clip_count = clip_count + 50"),
    "clip_video_lead_lag:range": _changed("clip_video_lead_lag", "correlation = 2"),
    "clip_video_lead_lag:coverage": again(
        "intelligence.clip_hours", f"{newest('clip_hours')} limit 1", category="'somebody'"
    ),
    "clip_video_lead_lag:drift": _changed(
        "clip_video_lead_lag", "relation = 'FOLLOWS', lag_h = -2"
    ),
    "hour_of_week_map:range": _changed("hour_of_week_map", "viewers_low = 9 * viewers_expected"),
    "hour_of_week_map:drift": _changed(
        "hour_of_week_map", "viewers_expected = 5 * viewers_expected"
    ),
    "momentum:range": _changed("momentum", "confidence_pct = 101"),
    "momentum:drift": _changed("momentum", "momentum_score = 95, direction = 'GAINING'"),
}
_ANOMALIES: Final = {
    "viewer_anomalies:range": _changed("viewer_anomalies", "viewers = -1"),
    "viewer_anomalies:agreement": _changed("viewer_anomalies", "known_count = 9"),
    "viewer_anomalies:rare": _changed("viewer_anomalies", "direction = 'SPIKE'"),
    "viewer_anomalies:coverage": _gone("viewer_anomalies", _first("viewer_anomalies")),
    "viewer_anomalies:known_share": again(
        "intelligence.viewer_anomalies",
        newest("viewer_anomalies"),
        crawl_at="crawl_at + interval '1 minute'",
        direction="'UNKNOWN'",
    ),
}
_TEXTS: Final = {
    "title_intel:range": _changed("title_intel", "p_value = 2"),
    "title_intel:coverage": _gone("title_intel", _first("title_intel")),
    "title_intel:known_share": _changed("title_intel", "verdict = 'UNKNOWN', lift = null"),
    "title_intel:drift": _changed("title_intel", _swapped("pattern_share")),
    "keyword_scores:range": _changed("keyword_scores", "score = -1"),
    "keyword_scores:coverage": _gone("keyword_scores", _last("title_intel", "title_count >= 10")),
    "keyword_scores:known_share": _changed(
        "keyword_scores", "prior_sample_count = 10, trend = 'UNKNOWN'"
    ),
    "keyword_scores:drift": _changed("keyword_scores", "term = 'never heard of ' || term"),
    "topic_intel:range": _changed("topic_intel", "score = -1"),
    "topic_intel:evidence": _changed("topic_intel", "evidence_video_ids = array['nobody']"),
    "topic_intel:coverage": _gone("topic_intel", _first("topic_intel")),
    "topic_intel:drift": _changed("topic_intel", "lemmas = 'never heard of ' || lemmas"),
    "description_intel:range": _changed("description_intel", "line_count_p50 = -1"),
    "description_intel:coverage": _gone("description_intel", _first("description_intel")),
    "description_intel:known_share": _changed("description_intel", "described_share = 0"),
    "description_intel:drift": _changed("description_intel", _swapped("hashtag_share")),
    "description_features:complete": "update intelligence.description_features set link_count = -1",
    "video_ideas:range": _changed("video_ideas", "confidence_pct = 101"),
    "video_ideas:enough": (
        f"delete from intelligence.video_ideas where {newest('video_ideas')} and rank > 4"
    ),
    "video_ideas:evidence": _changed("video_ideas", "evidence_video_ids = array['nobody']"),
    "video_ideas:drift": _changed("video_ideas", "topic = 'never heard of ' || topic"),
}
_AUDIENCES: Final = {
    "content_formats:range": _changed("content_formats", "views_known_count = video_count + 1"),
    "content_formats:coverage": _gone("content_formats", _first("content_formats")),
    "content_formats:drift": _changed(
        "content_formats", "performance_index = 5 * performance_index"
    ),
    "shorts_comparison:range": _changed(
        "shorts_comparison", "shorts_known_count = shorts_count + 1"
    ),
    "shorts_comparison:coverage": _gone("shorts_comparison", _first("shorts_comparison")),
    "shorts_comparison:known_share": _changed("shorts_comparison", "unknown_count = 100000"),
    "shorts_comparison:drift": _changed("shorts_comparison", "shorts_performance_ratio = 9"),
    "language_mix:range": _changed("language_mix", "market_share = -1"),
    "language_mix:coverage": _gone("language_mix", _first("language_mix", "platform = 'youtube'")),
    "language_mix:drift": _changed("language_mix", "language = 'never heard of ' || language"),
    # After what renames the languages.
    "language_mix:known_share": made_up(
        "intelligence.language_mix",
        window_start="(select max(window_start) from intelligence.language_mix)",
        category="'somebody'",
        platform="'youtube'",
        language_source="'tag'",
        language="'und'",
        item_count="1000000",
    ),
    "regional_intel:range": _changed("regional_intel", "dominant_share = 2"),
    "regional_intel:coverage": _changed("regional_intel", "item_count = item_count + 1"),
    "regional_intel:drift": _changed("regional_intel", _swapped("language_diversity")),
    "premiere_intel:range": _changed(
        "premiere_intel", "announced_known_count = announced_count + 1"
    ),
    "premiere_intel:coverage": _gone("premiere_intel", _first("premiere_intel")),
    "premiere_intel:known_share": _changed("premiere_intel", "unknown_count = 100000"),
    "premiere_intel:drift": _changed("premiere_intel", "on_time_share = 0.6"),
    "publishing_times:range": _changed("publishing_times", "is_best = true"),
    "publishing_times:coverage": _changed(
        "publishing_times", "sample_count = sample_count + 1", "grain = 'hour'"
    ),
    "publishing_times:known_share": _changed("publishing_times", "index_low = null"),
    "publishing_times:drift": _changed("publishing_times", "index = 3 * index"),
    "channel_outliers:range": _changed("channel_outliers", "viral_score = 101"),
    "channel_outliers:coverage": _gone("channel_outliers", _first("channel_outliers")),
    "channel_outliers:drift": _changed("channel_outliers", "outlier_score = 9"),
}
_LEARNED: Final = {
    "viral_model:whole": _changed("viral_model", "model_sha256 = 'altered'"),
    "viral_model:better_than_chance": _changed("viral_model", "cross_average_precision = 0"),
    "viral_predictions:range": _changed("viral_predictions", "probability = 2"),
    "prediction_backtest:range": _changed("prediction_backtest", "precision = 2"),
    "prediction_backtest:keeps_its_promise": _changed("prediction_backtest", "brier_skill = -1"),
    "evaluations:declared": _changed("evaluations", "split = 'train'"),
}
_SEEN: Final = {
    "thumbnail_features:range": "update intelligence.thumbnail_features set brightness = 2",
    "thumbnail_features:coverage": f"""
        insert into operations.quarantine
            (occurred_at, quarantine_id, source, item_id, reason, raw)
        select now(), gen_random_uuid(), 'intelligence/thumbnail_features', video_id, 'broken', ''
        from intelligence.viral_scores where {newest("viral_scores")}
    """,
    "thumbnail_intel:range": _changed("thumbnail_intel", "look_share = 2"),
    # The same statement: one that made the shares possible again would hide from `range`.
    "thumbnail_intel:drift": _changed("thumbnail_intel", "look_share = 2"),
    "thumbnail_intel:without_thumbnail": _changed("thumbnail_intel", "video_count = 99"),
    "thumbnail_designs:shared": _changed("thumbnail_designs", "video_count = 1"),
}

PARTS: Final = (
    *(_SCORES, _CLIPS, _ANOMALIES, _TEXTS, _AUDIENCES, _LEARNED, _SEEN),
    _refused(ACCEPTING),
)
SPOILED: Final = MappingProxyType(
    {f"intelligence/{check}": statement for part in PARTS for check, statement in part.items()}
    | _of_collection("youtube_trending", "views")
    | _of_collection("youtube_games", "views")
    | _of_collection("twitch_streams", None)
    | _of_collection("twitch_top_games", None)
    | _of_collection("clip_radar", "view_count")
    | {
        f"collection/{name}:schema": f"alter table collection.{name} add column secret text"
        for name in ("youtube_videos", "youtube_channels")
    }
    | {
        "collection/youtube_videos:described": """
            delete from collection.youtube_videos where video_id = (
                select min(video_id) from collection.youtube_trending
                where crawl_at = (select max(crawl_at) from collection.youtube_trending))
        """,
    }
)
"""Statements that go together: after all of them every one of these checks fails."""

HIDING: Final = MappingProxyType(
    {
        "intelligence/competition:coverage": _changed("competition", "observed_at = null"),
        "intelligence/clip_video_lead_lag:known_share": _changed(
            "clip_video_lead_lag", "relation = 'UNKNOWN', lag_h = null"
        ),
        "intelligence/momentum:known_share": "; ".join(
            (
                *(
                    again(
                        "intelligence.category_stats",
                        newest("category_stats"),
                        window_start=f"window_start - interval '{ago}'",
                    )
                    for ago in ("24 hours", "96 hours")
                ),
                _changed("momentum", "direction = 'UNKNOWN', momentum_score = null"),
            )
        ),
        "intelligence/channel_outliers:known_share": _changed(
            "channel_outliers", "channel_n = 3, outlier_score = null"
        ),
        "intelligence/hour_of_week_map:same_as_competition": f"""
            update intelligence.competition set window_start = m.next_start_at,
                   peak_source = m.peak_source, is_peak = not m.is_peak
            from intelligence.hour_of_week_map m
            where m.{newest("hour_of_week_map")} and m.category = competition.category
              and m.next_start_at = m.window_start + interval '4 hours'
              and competition.{newest("competition")}
        """,
    }
)
"""Statements that hide from other checks what those look at, so that they come after them."""

ELSEWHERE: Final = MappingProxyType(
    {
        "maintenance/purges:columns_are_classified": "tests/graph/test_policy_modes.py",
        "maintenance/purges:nothing_is_over_age": "tests/graph/test_policy_modes.py",
        "maintenance/purges:database_size": "tests/graph/test_policy_modes.py",
        "maintenance/purges:days_are_made": "tests/graph/test_policy_modes.py",
    }
)
"""Checks that another test makes fail, with its file."""
