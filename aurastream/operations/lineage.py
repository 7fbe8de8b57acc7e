"""Whose data a table is made of: followed to the platforms' own answers, never by a table's name.

Raw tables say it through the field dictionary, rollups through the SQL of their models. What an
asset of ours is computed from is written down here; a test compares it with the graph. A table that
nobody has written down counts as made of both platforms, whose stricter limit then holds.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, Literal

from aurastream.settings import REPO_ROOT
from aurastream.sources.fields import SOURCE_FIELDS, USES

__all__ = ["Platform", "platforms_of"]

Platform = Literal["youtube", "twitch"]

_BOTH: Final[frozenset[Platform]] = frozenset({"youtube", "twitch"})
_MODELS: Final = REPO_ROOT / "dbt_project" / "models"
_READS: Final = re.compile(
    r"(?:ref\(\s*'(?P<model>\w+)'|source\(\s*'(?P<schema>\w+)'\s*,\s*'(?P<table>\w+)')"
)
# Records of our own. What one of them carries of a platform all the same is named.
_OURS: Final = frozenset({"operations", "maintenance", "app"})
_CARRIED: Final[Mapping[str, frozenset[Platform]]] = {
    "operations.quarantine": _BOTH,  # raw bodies of either
    # Scores that another code version replaced; those made of Twitch go by row (`retention`).
    "maintenance.score_history": frozenset({"youtube"}),
}
# Tables beneath each table of an asset; raw columns are in the field dictionary as well.
_MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "category_stats": ("video_velocity",),
    "channel_outliers": ("video_velocity", "viral_scores"),
    "clip_activity": ("clip_intel",),
    "clip_hours": (),
    "clip_intel": (),
    "clip_video_lead_lag": ("clip_hours", "video_velocity"),
    "competition": (),
    "content_formats": ("video_velocity",),
    "description_features": (),
    "description_intel": ("description_features", "video_velocity"),
    "evaluations": ("viral_model",),
    "hour_of_week_map": ("collection.twitch_streams",),
    "keyword_scores": ("video_velocity",),
    "language_mix": ("video_velocity",),
    "momentum": ("category_stats", "competition", "opportunity"),
    "opportunity": ("category_stats", "competition", "viral_scores"),
    "prediction_backtest": ("viral_predictions",),
    "premiere_intel": ("video_velocity",),
    "publishing_times": ("video_velocity",),
    "regional_intel": ("language_mix",),
    "shorts_comparison": ("video_velocity",),
    "thumbnail_designs": ("thumbnail_features", "video_velocity"),
    "thumbnail_features": ("viral_scores",),
    "thumbnail_intel": ("thumbnail_features", "video_velocity", "viral_scores"),
    "title_intel": ("video_velocity",),
    "topic_intel": ("keyword_scores", "video_velocity"),
    "video_ideas": (
        "competition",
        "content_formats",
        "opportunity",
        "topic_intel",
        "video_velocity",
        "viral_scores",
    ),
    "video_velocity": (),
    "viewer_anomalies": (),
    "viral_model": (),
    "viral_predictions": ("viral_model",),
    "viral_scores": ("category_stats", "video_velocity"),
}


@cache
def platforms_of(table: str) -> frozenset[Platform]:
    """Return whose data a table holds, or is made of; empty for records of our own.

    Examples
    --------
    >>> sorted(platforms_of("collection.clip_radar"))
    ['twitch']
    >>> sorted(platforms_of("intelligence.viral_scores"))
    ['youtube']
    >>> sorted(platforms_of("intelligence.opportunity"))
    ['twitch', 'youtube']
    >>> sorted(platforms_of("aggregation.intel_regional_performance"))
    ['twitch', 'youtube']
    >>> platforms_of("operations.crawls")
    frozenset()
    >>> sorted(platforms_of("intelligence.a_table_that_nobody_wrote_down"))
    ['twitch', 'youtube']
    """
    if table in _CARRIED:
        return _CARRIED[table]
    if table.partition(".")[0] in _OURS:
        return frozenset()
    if table in _raw():
        return _raw()[table]
    beneath = _beneath(table)
    if beneath is None:
        return _BOTH
    found: frozenset[Platform] = frozenset().union(*map(platforms_of, beneath))
    # Made of our own records only, as far as is written down: somebody forgot a line.
    return found if found or table.startswith("aggregation.") else _BOTH


def _beneath(table: str) -> frozenset[str] | None:
    schema, _, name = table.partition(".")
    if schema == "aggregation":
        return _of_models().get(name)
    if schema != "intelligence" or name not in _MADE_OF:
        return None
    direct = (column.rpartition(".")[0] for column in USES.get(f"{schema}/{name}", ()))
    named = (made if "." in made else f"{schema}.{made}" for made in _MADE_OF[name])
    return frozenset({*direct, *named})


@cache
def _raw() -> Mapping[str, frozenset[Platform]]:
    found: dict[str, set[Platform]] = {}
    for field in SOURCE_FIELDS:
        named = {name for name in _BOTH if field.endpoint.startswith(f"{name}.")}
        for column in field.columns:
            found.setdefault(column.rpartition(".")[0], set()).update(named or _BOTH)
    return {table: frozenset(platforms) for table, platforms in found.items()}


@cache
def _of_models() -> Mapping[str, frozenset[str]]:
    """Return the tables that each dbt model is made of, through the models that are none."""
    reads = {path.stem: _READS.findall(path.read_text("utf-8")) for path in _MODELS.rglob("*.sql")}
    kept = {path.stem for path in (_MODELS / "aggregation").rglob("*.sql")}

    def follow(model: str) -> frozenset[str]:
        found: set[str] = set()
        for another, schema, table in reads.get(model, ()):
            if table:
                found.add(f"{schema}.{table}")
            elif another in kept:
                found.add(f"aggregation.{another}")
            else:
                found |= follow(another)
        return frozenset(found)

    return {model: follow(model) for model in kept}
