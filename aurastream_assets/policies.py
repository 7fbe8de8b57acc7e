"""Cross-cutting policy, mapped over every asset spec once, so that no asset can forget it.

What lives here: group, owner, worker tags, freshness, and the table's address and columns, all
derived from the key. What does not: anything that only one asset needs.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final

import dagster as dg
from sqlalchemy.dialects import postgresql

from aurastream.sources.ports import Platform
from aurastream.store.tables import metadata as tables
from aurastream_assets.keys import OWNER, STAGES, WORKERS

__all__ = [
    "FRESHNESS",
    "RETRIES",
    "SINGLE_RUN",
    "WORKER_OF",
    "apply_policies",
    "freshness_within",
    "table_metadata",
]

# The one schema that is no stage: views that analysts and the API read, published by a stage.
_STAGE_OF: Final = {"marts": "aggregation"}

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call] # untyped upstream

# Three tries after the first, 15 s, 30 s and 60 s apart, each moved by jitter so that workers that
# failed together do not return together. Permanent errors raise dg.Failure(allow_retries=False).
RETRIES: Final = dg.RetryPolicy(
    max_retries=3, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)

# The algorithms are vectorised over windows: a backfill of a month is one call, not 1,440 runs.
SINGLE_RUN: Final = dg.BackfillPolicy.single_run()

WORKER_OF: Final = {
    "collection/youtube_trending": "youtube_worker_trending",
    "collection/youtube_games": "youtube_worker_games",
    "collection/youtube_videos": "youtube_worker_trending",
    "collection/youtube_channels": "youtube_worker_games",
    "collection/twitch_streams": "twitch_streams_worker",
    "collection/twitch_top_games": "twitch_streams_worker",
    "collection/clip_radar": "clip_radar_worker",
    "intelligence/video_velocity": "creator_intel_worker",
    "intelligence/category_stats": "creator_intel_worker",
    "intelligence/viral_scores": "creator_intel_worker",
    "intelligence/competition": "creator_intel_worker",
    "intelligence/opportunity": "creator_intel_worker",
    "intelligence/viral_model": "creator_intel_worker",
    "intelligence/viral_predictions": "creator_intel_worker",
    "intelligence/prediction_backtest": "creator_intel_worker",
    "intelligence/evaluations": "creator_intel_worker",
    "reporting/hot_documents": "creator_intel_worker",
    "aggregation/intel_hourly_metrics": "intel_aggregation_hourly",
    "aggregation/intel_daily_metrics": "intel_aggregation_daily",
}


def freshness_within(warn: timedelta, fail: timedelta) -> dg.FreshnessPolicy:
    """Return a policy that warns and then fails as an asset grows older."""
    return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=warn)


_HALF_HOURLY: Final = freshness_within(timedelta(minutes=40), timedelta(hours=1))
_HOURLY: Final = freshness_within(timedelta(minutes=75), timedelta(hours=2, minutes=15))
_DAILY: Final = freshness_within(timedelta(hours=25), timedelta(hours=49))

# A little more than one missed tick warns, two fail. Games are adaptive: four hours is the slowest
# base interval and the planner may triple it for a game that does not change.
FRESHNESS: Final[dict[str, dg.FreshnessPolicy]] = {
    "collection/youtube_trending": _HALF_HOURLY,
    "collection/youtube_games": freshness_within(timedelta(hours=5), timedelta(hours=13)),
    "collection/twitch_streams": freshness_within(timedelta(minutes=20), timedelta(minutes=40)),
    "collection/twitch_top_games": freshness_within(timedelta(minutes=20), timedelta(minutes=40)),
    "collection/clip_radar": freshness_within(timedelta(minutes=8), timedelta(minutes=15)),
    "intelligence/video_velocity": _HALF_HOURLY,
    "intelligence/category_stats": _HALF_HOURLY,
    "intelligence/viral_scores": _HALF_HOURLY,
    "intelligence/competition": _HALF_HOURLY,
    "intelligence/opportunity": _HALF_HOURLY,
    "intelligence/viral_model": _DAILY,
    "intelligence/viral_predictions": _DAILY,
    "intelligence/prediction_backtest": _DAILY,
    "intelligence/evaluations": _DAILY,
    "reporting/hot_documents": _HALF_HOURLY,
    "aggregation/intel_hourly_metrics": _HOURLY,
    "aggregation/intel_collection_hours": _HOURLY,
    "aggregation/intel_daily_metrics": freshness_within(timedelta(hours=25), timedelta(hours=49)),
    "maintenance/purges": freshness_within(timedelta(hours=25), timedelta(hours=49)),
    "maintenance/archive": freshness_within(timedelta(days=32), timedelta(days=63)),
}


def apply_policies(
    spec: dg.AssetSpec, *, platforms: Collection[Platform] = ("youtube", "twitch")
) -> dg.AssetSpec:
    """Give a spec everything that follows from its key.

    Parameters
    ----------
    spec : AssetSpec
        As its module declares it.
    platforms : collection of {"youtube", "twitch"}
        Those that can be asked: what another one brings cannot be fresh, and nobody waits for it.

    Raises
    ------
    ValueError
        When the key breaks the naming law or the asset has no worker.
    """
    schema, *rest = spec.key.path
    stage = _STAGE_OF.get(schema, schema)
    if stage not in STAGES or len(rest) != 1:
        raise ValueError(
            f"Asset {spec.key.to_user_string()} breaks the naming law: its key is [stage, table], "
            f"and the stages are {', '.join(STAGES)}."
        )
    name = spec.key.to_user_string()
    worker = spec.tags.get("worker") or WORKER_OF.get(name)
    if worker is None:
        raise ValueError(f"Asset {name} has no worker: add it to WORKER_OF in policies.py.")
    platform = WORKERS[worker].platform
    # What is computed is made of whatever came, be it nothing.
    is_computed = stage not in ("collection", "reporting")
    is_awaited = is_computed or platform is None or platform in platforms
    return spec.replace_attributes(
        group_name=stage,
        owners=list(spec.owners) or [OWNER],
        tags={**spec.tags, **WORKERS[worker].tags()},
        freshness_policy=(spec.freshness_policy or FRESHNESS.get(name)) if is_awaited else None,
        metadata={**table_metadata(name), **spec.metadata},
    )


def table_metadata(name: str) -> dict[str, Any]:
    """Return the address and the described columns of an asset's table, where we own it.

    Parameters
    ----------
    name : str
        Asset key as ``stage/table``.
    """
    address = name.replace("/", ".")
    if address not in tables.tables:
        return {}  # dbt describes the tables it owns, and documents have none
    table = tables.tables[address]
    return {
        "dagster/table_name": address,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    column.name,
                    type=column.type.compile(dialect=_DIALECT).lower(),
                    description=column.comment,
                    constraints=dg.TableColumnConstraints(
                        nullable=bool(column.nullable), unique=False
                    ),
                    tags={"policy": column.info["policy"]},
                )
                for column in table.columns
            ],
            constraints=dg.TableConstraints(
                other=[f"primary key ({', '.join(c.name for c in table.primary_key)})"]
            ),
        ),
    }
